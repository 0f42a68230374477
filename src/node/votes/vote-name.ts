import { digest } from '../../byzantine/digest.ts';
import type { ProposalId } from '../../byzantine/proposal.ts';

/** What a client calls a vote by: the proposal, and which of its items if there are more. */
export interface VoteName {
  readonly proposal: ProposalId;
  readonly item: number;
}

/** `ID` of a proposal about one thing, `ID.K` of the item K of a bundle. */
export const voteName = (proposal: ProposalId, item: number, items: number): string => (items === 1 ? proposal : `${proposal}.${item}`);

/** Of a client's text; undefined if it names none. A bundle's bare id is its first item. */
export function parseVoteName(text: string): VoteName | undefined {
  const [, id, item = '0'] = /^([0-9a-f]{64})(?:\.(\d{1,4}))?$/.exec(text) ?? [];
  return id === undefined ? undefined : { proposal: digest(id), item: Number(item) };
}
