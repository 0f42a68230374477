import type { EpochConfiguration } from '../../byzantine/epoch.ts';
import type { Evidence } from '../../byzantine/evidence.ts';
import type { Logger } from '../../core/logger.ts';
import type { Flush } from './flush.ts';
import { evidenceChange } from './vote-records.ts';

/** What is kept of a member at most: the first lies convict it, and a flood of further ones must fill no disk. */
const maxPerMember = 32;

/** What members did here that no honest one does, each member once a vote and kind; durable with the turn that noticed it. */
export class EvidenceBook {
  readonly #configuration: EpochConfiguration;
  readonly #logger: Logger;
  readonly #flush: Flush;
  /** Oldest first. */
  readonly #evidence: Evidence[];
  /** Lies noticed since the start, for metrics. */
  noticed = 0;

  constructor(stored: readonly Evidence[], configuration: EpochConfiguration, logger: Logger, flush: Flush) {
    this.#configuration = configuration;
    this.#logger = logger;
    this.#flush = flush;
    this.#evidence = [...stored];
  }

  add(evidence: Evidence): void {
    const { kind, member, proposal } = evidence;
    this.noticed++;
    const ofMember = this.#evidence.filter((one) => one.member === member);
    if (ofMember.length >= maxPerMember || ofMember.some((one) => one.kind === kind && one.proposal === proposal)) return;
    this.#logger.warn({ kind, member: this.#configuration.members[member]?.nodeId, proposal }, 'a member contradicts itself');
    this.#flush.save(evidenceChange(this.#evidence.length, evidence));
    this.#evidence.push(evidence);
  }

  all(): readonly Evidence[] {
    return this.#evidence;
  }
}
