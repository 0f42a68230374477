export interface TurnPorts {
  /** Runs the job soon, after what has already arrived: one turn serves all of it. */
  readonly defer: (job: () => void) => void;
  /** The node must stop. */
  readonly onFatal: (error: Error) => void;
  /** Does all that is to be done. */
  readonly turn: () => void;
}

/**
 * When a node works: in turns that never overlap. However often a turn is asked for, one follows soon; while a write is under way none begins. A job that
 * throws is the last one: a node must not go on with a memory that contradicts itself.
 */
export class Turns {
  readonly #ports: TurnPorts;
  #isDue = false;
  #isSaving = false;
  #isStopped = false;

  constructor(ports: TurnPorts) {
    this.#ports = ports;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  get isSaving(): boolean {
    return this.#isSaving;
  }

  /** Something has arrived. */
  ask(): void {
    if (this.#isDue || this.#isStopped) return;
    this.#isDue = true;
    this.defer(() => {
      this.#isDue = false;
      if (!this.#isSaving) this.#ports.turn();
    });
  }

  /** A write begins, which ends the turn. */
  beginSave(): void {
    this.#isSaving = true;
  }

  /** The write is done. The caller finishes what waited for it, and begins the next turn. */
  endSave(): void {
    this.#isSaving = false;
  }

  /** Runs a job soon, between turns or while a write is under way. */
  defer(job: () => void): void {
    this.#ports.defer(() => this.run(job));
  }

  /** Runs a job now, unless the node has stopped. */
  run(job: () => void): void {
    if (this.#isStopped) return;
    try {
      job();
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** The disk failed, or an invariant broke. */
  fail(error: Error): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#ports.onFatal(error);
  }

  stop(): void {
    this.#isStopped = true;
  }
}
