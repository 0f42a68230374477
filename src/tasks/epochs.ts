/** Members that followed others, as the log had it: opaque here, judged before it is applied. */
export interface EpochRecord {
  /** Base64 of the configuration's canonical bytes. */
  readonly configuration: string;
  /** Base64 of the certificate of the epoch before; undefined where none was needed. */
  readonly certificate: string | undefined;
}

/** The epochs after the founding, each with why it is to be believed, so that who reads the state can follow them from the genesis on. */
export class EpochTable {
  readonly #records: EpochRecord[] = [];

  /** The number of the current epoch: 0 with the founding members. */
  get current(): number {
    return this.#records.length;
  }

  /** From epoch 1 on. */
  all(): readonly EpochRecord[] {
    return this.#records;
  }

  /** For the applier of the log alone. */
  add(record: EpochRecord): void {
    this.#records.push(record);
  }
}
