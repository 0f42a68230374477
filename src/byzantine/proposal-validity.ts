import { label } from './bytes.ts';
import type { VerifySignature } from './crypto.ts';
import { proposalMessage } from './encoding.ts';
import type { EpochConfiguration } from './epoch.ts';
import type { SignedProposal } from './proposal.ts';
import { byzantineQuorum } from './quorum.ts';

export type ProposalField = 'cluster' | 'epoch' | 'proposer' | 'options' | 'minSupport' | 'signature';

/**
 * The first field that makes a decoded proposal invalid in an epoch; undefined: it is valid, as far as one can tell without knowing its kind. Every honest member
 * finds the same: it looks at nothing but the proposal and the configuration (protocol design 1.4, `validate`).
 */
export function invalidField(
  { id, proposal, signature }: SignedProposal,
  { cluster, epoch, members }: EpochConfiguration,
  verify: VerifySignature,
): ProposalField | undefined {
  const proposer = members[proposal.proposer];
  if (proposal.cluster !== cluster) return 'cluster';
  if (proposal.epoch !== epoch) return 'epoch';
  if (proposer === undefined) return 'proposer';
  if (!areAscending(proposal.options)) return 'options';
  if (proposal.minSupport < byzantineQuorum(members.length) || proposal.minSupport > members.length) return 'minSupport';
  return verify(proposer.ed25519PublicKey, proposalMessage(id), signature) ? undefined : 'signature';
}

/** By the bytes of their UTF-8, no two alike. */
function areAscending(texts: readonly string[]): boolean {
  const all = texts.map(label);
  return all.every((bytes, i) => {
    const before = all[i - 1];
    return before === undefined || isBefore(before, bytes);
  });
}

function isBefore(a: Uint8Array, b: Uint8Array): boolean {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at < 0 ? a.length < b.length : (a[at] ?? 0) < (b[at] ?? 0);
}
