import { type Certificate, encodeCertificate } from '../byzantine/certificate.ts';
import type { EpochConfiguration, MemberIndex } from '../byzantine/epoch.ts';
import { byzantineQuorum, faultTolerance } from '../byzantine/quorum.ts';
import { abstain } from '../byzantine/ballot.ts';
import { expired, split } from '../byzantine/witness.ts';

/** What was decided about one item: an option's name, or why none won. */
export type Decision =
  | { readonly result: 'decided'; readonly option: string }
  | { readonly result: 'no_consensus'; readonly reason: 'split' | 'expired' };

export type DecidedItem = { readonly subject: string; readonly payloadDigest: string } & Decision;

/** An outcome in one or a few words. */
export const decisionText = (item: DecidedItem): string => (item.result === 'decided' ? item.option : `no consensus (${item.reason})`);

/** A certificate as a JSON file: fields for people, all of them made from `certificate`, which alone is proof. */
export interface CertificateDocument {
  readonly format: 'quorate-certificate/1';
  /** The proposal's id. */
  readonly id: string;
  readonly cluster: string;
  readonly epoch: number;
  readonly kind: string;
  readonly items: readonly DecidedItem[];
  readonly options: readonly string[];
  readonly minSupport: number;
  /** Members, how many of them may lie, and the signatures it takes. */
  readonly n: number;
  readonly f: number;
  readonly quorum: number;
  readonly proposer: string;
  /** Milliseconds since 1970: not to be acted on later. */
  readonly notAfterMs: number;
  readonly signers: readonly string[];
  /** `choices`: an option or null (none of them) for each item. Empty if the ballots were left out. */
  readonly ballots: readonly { readonly node: string; readonly choices: readonly (string | null)[] }[];
  /** The bytes, in base64. */
  readonly certificate: string;
}

/** Shows a certificate that was checked against `configuration`. */
export function certificateDocument(certificate: Certificate, configuration: EpochConfiguration): CertificateDocument {
  const { attestation, proposal: signed, attesters, ballots, memberCount: n } = certificate;
  const { proposal } = signed;
  const nameOf = (member: MemberIndex): string => configuration.members[member]?.nodeId ?? `member ${member}`;
  return {
    format: 'quorate-certificate/1',
    id: signed.id,
    cluster: attestation.cluster,
    epoch: attestation.epoch,
    kind: proposal.kind,
    items: proposal.items.map((item, i) => ({ ...item, ...decisionOf(proposal.options, attestation.outcome[i]) })),
    options: proposal.options,
    minSupport: proposal.minSupport,
    n,
    f: faultTolerance(n),
    quorum: byzantineQuorum(n),
    proposer: nameOf(proposal.proposer),
    notAfterMs: proposal.notAfterMs,
    signers: attesters.map(({ member }) => nameOf(member)),
    ballots: ballots.map(({ ballot: { voter, choices } }) => ({
      node: nameOf(voter),
      choices: [...choices].map((choice) => (choice === abstain ? null : (proposal.options[choice] ?? null))),
    })),
    certificate: Buffer.from(encodeCertificate(certificate)).toString('base64'),
  };
}

function decisionOf(options: readonly string[], choice: number | undefined): Decision {
  if (choice === split) return { result: 'no_consensus', reason: 'split' };
  const option = choice === undefined ? undefined : options[choice];
  return option === undefined || choice === expired ? { result: 'no_consensus', reason: 'expired' } : { result: 'decided', option };
}
