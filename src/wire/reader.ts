import { maxNameLength } from './limits.ts';

/**
 * Reads an untrusted array of fields in order and remembers whether every one was as expected. Callers read all fields, then ask `ok`: a bad field yields
 * a harmless value meanwhile.
 */
export class FieldReader {
  readonly #fields: readonly unknown[];
  #next = 0;
  #ok = true;

  constructor(fields: unknown) {
    this.#ok = Array.isArray(fields);
    this.#fields = Array.isArray(fields) ? fields : [];
  }

  /** True when all fields were right and none is left over. */
  get ok(): boolean {
    return this.#ok && this.#next === this.#fields.length;
  }

  reject(): void {
    this.#ok = false;
  }

  /** The next field, unread: to choose a layout by it. */
  peek(): unknown {
    return this.#fields[this.#next];
  }

  /** Any value, as it is. */
  any(): unknown {
    return this.#take();
  }

  /** A whole number in [min, max]. */
  int(min = 0, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#take();
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
    this.#ok = false;
    return min;
  }

  /** A finite number in [min, max]. */
  number(min: number, max: number): number {
    const value = this.#take();
    if (typeof value === 'number' && value >= min && value <= max) return value;
    this.#ok = false;
    return min;
  }

  boolean(): boolean {
    const value = this.#take();
    if (typeof value === 'boolean') return value;
    this.#ok = false;
    return false;
  }

  text(maxLength: number): string {
    const value = this.#take();
    if (typeof value === 'string' && value.length <= maxLength) return value;
    this.#ok = false;
    return '';
  }

  bytes(maxLength: number): Uint8Array {
    const value = this.#take();
    if (value instanceof Uint8Array && value.length <= maxLength) return value;
    this.#ok = false;
    return new Uint8Array(0);
  }

  oneOf<T extends string>(choices: readonly T[]): T | undefined {
    const value = this.#take();
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) this.#ok = false;
    return choice;
  }

  /** A null field is `undefined`; another is read by `read`. */
  optional<T>(read: () => T): T | undefined {
    if (this.#next < this.#fields.length && (this.#fields[this.#next] === null || this.#fields[this.#next] === undefined)) {
      this.#next++;
      return undefined;
    }
    return read();
  }

  /** An array of at most `max` items, each read by a reader of its own fields. */
  list<T>(max: number, read: (item: FieldReader) => T): T[] {
    const value = this.#take();
    if (!Array.isArray(value) || value.length > max) {
      this.#ok = false;
      return [];
    }
    return value.map((fields) => {
      const reader = new FieldReader(fields);
      const item = read(reader);
      if (!reader.ok) this.#ok = false;
      return item;
    });
  }

  texts(max: number, maxLength: number): string[] {
    const value = this.#take();
    if (Array.isArray(value) && value.length <= max && value.every((item) => typeof item === 'string' && item.length <= maxLength))
      return value;
    this.#ok = false;
    return [];
  }

  /** At most `max` names, each branded by its checked constructor. */
  names<T extends string>(max: number, make: (text: string) => T): T[] {
    return this.texts(max, maxNameLength).flatMap((text) => {
      const name = new FieldReader([text]).name(make);
      if (name !== undefined) return [name];
      this.#ok = false;
      return [];
    });
  }

  /** A string-to-string map. */
  labels(max: number, maxLength: number): Record<string, string> {
    const value = this.#take();
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      const entries = Object.entries(value);
      const fits = (text: unknown): text is string => typeof text === 'string' && text.length <= maxLength;
      if (entries.length <= max && entries.every(([key, item]) => fits(key) && fits(item))) return Object.fromEntries(entries);
    }
    this.#ok = false;
    return {};
  }

  /** A name (see `core/ids.ts`), branded by its checked constructor. */
  name<T extends string>(make: (text: string) => T): T | undefined {
    const value = this.#take();
    if (typeof value === 'string') {
      try {
        return make(value);
      } catch {
        // Falls through: not a name.
      }
    }
    this.#ok = false;
    return undefined;
  }

  #take(): unknown {
    if (this.#next >= this.#fields.length) {
      this.#ok = false;
      return undefined;
    }
    return this.#fields[this.#next++];
  }
}
