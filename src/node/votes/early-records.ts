import type { MemberIndex } from '../../byzantine/epoch.ts';
import type { ProposalId } from '../../byzantine/proposal.ts';
import type { FrameRecord } from '../../byzantine/records.ts';

/** Records that are kept at most; those of the vote that waits longest go first. */
const maxEarly = 4096;
/** How long records wait for their proposal, and how often it is asked for. */
const earlyMs = 5000;
const askEveryMs = 200;

/** What a member says within one vote. */
export type VoteWord = Exclude<FrameRecord, { readonly type: 'proposal' | 'certificate' | 'get' | 'blob' }>;

interface Early {
  readonly records: { readonly from: MemberIndex; readonly record: VoteWord }[];
  readonly sinceMs: number;
  askedMs: number;
}

/** What came of votes before their proposals did. The proposal is most likely on its way from its proposer; when it still isn't here after a moment it is asked for. */
export class EarlyRecords {
  readonly #votes = new Map<ProposalId, Early>();
  #count = 0;

  has(id: ProposalId): boolean {
    return this.#votes.has(id);
  }

  add(from: MemberIndex, id: ProposalId, record: VoteWord, nowMs: number): void {
    const [longest] = this.#votes.keys();
    if (this.#count >= maxEarly && longest !== undefined) this.take(longest);
    this.#count++;
    const waiting = this.#votes.get(id);
    if (waiting === undefined) this.#votes.set(id, { records: [{ from, record }], sinceMs: nowMs, askedMs: nowMs });
    else waiting.records.push({ from, record });
  }

  take(id: ProposalId): Early['records'] {
    const early = this.#votes.get(id);
    if (early === undefined) return [];
    this.#votes.delete(id);
    this.#count -= early.records.length;
    return early.records;
  }

  /** Asks those who speak of a vote for its proposal. */
  tick(nowMs: number, ask: (members: ReadonlySet<MemberIndex>, id: ProposalId) => void): void {
    for (const [id, early] of this.#votes) {
      if (nowMs - early.sinceMs > earlyMs) this.take(id);
      if (nowMs - early.askedMs < askEveryMs) continue;
      early.askedMs = nowMs;
      ask(new Set(early.records.map(({ from }) => from)), id);
    }
  }
}
