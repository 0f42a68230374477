import type { EpochConfiguration } from '../../byzantine/epoch.ts';
import type { Evidence } from '../../byzantine/evidence.ts';
import type { Logger } from '../../core/logger.ts';

const maxEvidence = 256;

/** What members did here that no honest one does; the newest of it. */
export class EvidenceBook {
  readonly #configuration: EpochConfiguration;
  readonly #logger: Logger;
  #evidence: Evidence[] = [];

  constructor(configuration: EpochConfiguration, logger: Logger) {
    this.#configuration = configuration;
    this.#logger = logger;
  }

  add(evidence: readonly Evidence[]): void {
    if (evidence.length === 0) return;
    for (const { kind, member, proposal } of evidence)
      this.#logger.warn({ kind, member: this.#configuration.members[member]?.nodeId, proposal }, 'a member contradicts itself');
    this.#evidence = [...this.#evidence, ...evidence].slice(-maxEvidence);
  }

  all(): readonly Evidence[] {
    return this.#evidence;
  }
}
