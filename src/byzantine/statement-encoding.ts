import { type ByteReader, type ByteWriter, encode } from './bytes.ts';
import type { OfPhase, Statement, Vote } from './statement.ts';
import type { Value } from './witness.ts';

// A statement names up to 12 values, mostly one and the same: they are written once, in the order of their first use, and each vote has the place of its
// value in that list.

const maxValues = 12;
const none = 255;

/** A statement is said to every member, and kept: it is encoded once. */
const encoded = new WeakMap<Statement, Uint8Array>();

export function writeStatement(writer: ByteWriter, statement: Statement): void {
  const bytes = encoded.get(statement) ?? encode(statement, writeFields);
  encoded.set(statement, bytes);
  writer.fixed(bytes);
}

function writeFields(writer: ByteWriter, statement: Statement): void {
  const { boot, revision, view, viewChange, frozen, previous, current, proposed, decided } = statement;
  const votes = [...frozen, ...previous];
  const singles = [...current, proposed, decided];
  const places = new Map<Value, number>();
  for (const value of [...votes.map((vote) => vote?.value), ...singles])
    if (value !== undefined && !places.has(value)) places.set(value, places.size);
  writer.u32(boot).u32(revision).u32(view).u32(viewChange).u8(places.size);
  for (const value of places.keys()) writer.digest(value);
  const place = (value: Value | undefined): number => (value === undefined ? none : (places.get(value) ?? none));
  for (const vote of votes) {
    writer.u8(place(vote?.value));
    if (vote !== undefined) writer.u32(vote.view);
  }
  for (const value of singles) writer.u8(place(value));
}

export function readStatement(reader: ByteReader): Statement {
  const boot = reader.u32();
  const revision = reader.u32();
  const view = reader.u32();
  const viewChange = reader.u32();
  const values = new ValueList(reader);
  const frozen: OfPhase<Vote | undefined> = [values.vote(), values.vote(), values.vote(), values.vote()];
  const previous: readonly [Vote | undefined, Vote | undefined] = [values.vote(), values.vote()];
  const current: OfPhase<Value | undefined> = [values.value(), values.value(), values.value(), values.value()];
  const proposed = values.value();
  const decided = values.value();
  values.end();
  return { boot, revision, view, viewChange, frozen, previous, current, proposed, decided };
}

/** The values of a statement that is being read. There is one encoding only: each is there once, in the order of their first use. */
class ValueList {
  readonly #reader: ByteReader;
  readonly #values: readonly Value[];
  #used = 0;

  constructor(reader: ByteReader) {
    this.#reader = reader;
    this.#values = reader.list(reader.u8(0, maxValues), () => reader.digest());
  }

  value(): Value | undefined {
    const place = this.#reader.u8();
    if (place === none) return undefined;
    if (place === this.#used) this.#used++;
    else if (place > this.#used) this.#reader.fail();
    return this.#values[place];
  }

  vote(): Vote | undefined {
    const value = this.value();
    return value === undefined ? undefined : { value, view: this.#reader.u32() };
  }

  end(): void {
    const { length } = this.#values;
    if (this.#used !== length || (length > 1 && new Set(this.#values).size !== length)) this.#reader.fail();
  }
}
