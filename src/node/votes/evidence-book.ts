import type { EpochConfiguration } from '../../byzantine/epoch.ts';
import type { Accusation, Evidence } from '../../byzantine/evidence.ts';
import type { NodeId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { Flush } from './flush.ts';
import { evidenceChange, forgetEvidence, type KeptAccusation } from './vote-records.ts';

/** What is kept of a node at most: the first lies convict it, and a flood of further ones must fill no disk. */
const maxPerNode = 32;
/** Of all nodes of all epochs; the oldest make room. */
const maxKept = 4096;

export interface EvidenceBookParts {
  readonly configuration: EpochConfiguration;
  readonly configurationOf: (epoch: number) => EpochConfiguration | undefined;
  readonly logger: Logger;
  readonly flush: Flush;
}

/** What members of this and earlier epochs did here that no honest one does, each once a vote and kind; durable with the turn that noticed it. */
export class EvidenceBook {
  readonly #parts: EvidenceBookParts;
  /** Oldest first. */
  #kept: readonly KeptAccusation[];
  /** Lies noticed since the start, for metrics. */
  noticed = 0;

  constructor(stored: readonly KeptAccusation[], parts: EvidenceBookParts) {
    this.#parts = parts;
    this.#kept = stored;
  }

  add(evidence: Evidence): void {
    const { configuration, logger, flush } = this.#parts;
    const { kind, proposal } = evidence;
    this.noticed++;
    const accusation = { epoch: configuration.epoch, evidence, number: (this.#kept.at(-1)?.number ?? -1) + 1 };
    const node = this.#nodeOf(accusation);
    const ofNode = this.#kept.filter((one) => this.#nodeOf(one) === node);
    if (ofNode.length >= maxPerNode || ofNode.some((one) => one.evidence.kind === kind && one.evidence.proposal === proposal)) return;
    logger.warn({ kind, member: node, proposal }, 'a member contradicts itself');
    const [oldest] = this.#kept;
    if (this.#kept.length >= maxKept && oldest !== undefined) flush.save(forgetEvidence(oldest));
    flush.save(evidenceChange(accusation));
    this.#kept = [...this.#kept, accusation].slice(-maxKept);
  }

  all(): readonly KeptAccusation[] {
    return this.#kept;
  }

  #nodeOf({ epoch, evidence }: Accusation): NodeId | undefined {
    const { configuration, configurationOf } = this.#parts;
    return (epoch === configuration.epoch ? configuration : configurationOf(epoch))?.members[evidence.member]?.nodeId;
  }
}
