import { Guard, type GuardOptions, type Judged } from '../../src/node/guarding/guard.ts';
import { decodeCertificate } from '../../src/byzantine/certificate.ts';
import type { Entry } from '../../src/raft/messages.ts';
import type { GuardedEntry } from '../../src/wire/guarded.ts';

/** A guard that, while its node lies, lets everything into its log: as a leader, and from one. What is applied it judges as it should. */
export class LyingGuard extends Guard {
  readonly #lies: () => boolean;

  constructor(options: GuardOptions, lies: () => boolean) {
    super(options);
    this.#lies = lies;
  }

  override refusalOf(...of: Parameters<Guard['refusalOf']>): ReturnType<Guard['refusalOf']> {
    return this.#lies() ? undefined : super.refusalOf(...of);
  }

  override flawOf(...of: Parameters<Guard['flawOf']>): ReturnType<Guard['flawOf']> {
    return this.#lies() ? undefined : super.flawOf(...of);
  }

  override admit(entry: GuardedEntry, changes: readonly Entry[]): Judged {
    const judged = super.admit(entry, changes);
    if (judged.ok || !this.#lies()) return judged;
    const proposal = decodeCertificate(this.hashes, entry.certificate)?.proposal.id ?? '';
    const { ts, certificate: _certificate, ...action } = entry;
    return {
      ok: true,
      ts,
      command: { ...action, proposal, payloadDigest: '', epoch: 0, proposer: 0, proposerSeq: 0, notAfterMs: Number.MAX_SAFE_INTEGER },
    };
  }
}
