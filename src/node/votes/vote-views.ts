import type { Certificate } from '../../byzantine/certificate.ts';
import type { EpochConfiguration, MemberIndex } from '../../byzantine/epoch.ts';
import type { SignedProposal } from '../../byzantine/proposal.ts';
import { byzantineQuorum, faultTolerance } from '../../byzantine/quorum.ts';
import { expired, split } from '../../byzantine/witness.ts';
import { type Instance, optionName } from './instance.ts';
import { voteName } from './vote-name.ts';
import type { VoteEvent, VoteNews, VoteView } from './vote-service.ts';

const nameOf = ({ members }: EpochConfiguration, member: MemberIndex): string => members[member]?.nodeId ?? `member ${member}`;

type Asked = Omit<VoteView, 'state' | 'payload' | 'outcome' | 'ballots' | 'certificate'>;

function asked({ id, proposal }: SignedProposal, configuration: EpochConfiguration, item: number): Asked {
  const { kind, items, options, minSupport, timeoutMs, notAfterMs, proposer } = proposal;
  const n = configuration.members.length;
  const { subject = '', payloadDigest = '' } = items[item] ?? {};
  return {
    id: voteName(id, item, items.length),
    proposal: id,
    item,
    items: items.length,
    kind,
    subject,
    payloadDigest,
    options,
    minSupport,
    proposer: nameOf(configuration, proposer),
    timeoutMs,
    notAfterMs,
    n,
    f: faultTolerance(n),
    quorum: byzantineQuorum(n),
  };
}

/** A vote without a certificate: whatever its ballots say, nobody may act on it. */
export function openView(instance: Instance, configuration: EpochConfiguration, item: number): VoteView {
  const { options, items } = instance.proposal.proposal;
  const about = items[item];
  return {
    ...asked(instance.proposal, configuration, item),
    state: 'open',
    payload: about && instance.payloads.get(about.payloadDigest),
    outcome: undefined,
    ballots: instance.ballots.flatMap((ballot) =>
      ballot === undefined ? [] : [{ node: nameOf(configuration, ballot.voter), choice: optionName(options, ballot.choices[item]) }],
    ),
    certificate: undefined,
  };
}

/** How a vote ended for one of its items. */
type VoteResult = Pick<VoteView, 'state' | 'outcome'>;

function resultOf(options: readonly string[], choice: number | undefined): VoteResult {
  if (choice === split) return { state: 'no_consensus', outcome: 'split' };
  if (choice === expired) return { state: 'no_consensus', outcome: 'expired' };
  return { state: 'decided', outcome: optionName(options, choice) ?? undefined };
}

export function certifiedView(certificate: Certificate, configuration: EpochConfiguration, item: number): VoteView {
  const { options } = certificate.proposal.proposal;
  return {
    ...asked(certificate.proposal, configuration, item),
    ...resultOf(options, certificate.attestation.outcome[item]),
    payload: undefined,
    ballots: certificate.ballots.map(({ ballot }) => ({
      node: nameOf(configuration, ballot.voter),
      choice: optionName(options, ballot.choices[item]),
    })),
    certificate,
  };
}

/** `ended`: how, if it has. */
export const newsOf = ({ id, proposal }: SignedProposal, ended?: Uint8Array): VoteNews => ({
  kind: 'vote',
  proposal: id,
  type: proposal.kind,
  options: proposal.options,
  subjects: proposal.items.map(({ subject }) => subject),
  ended,
});

/** As watchers get them: one for each item. */
export const eventsOf = ({ proposal, type, options, subjects, ended }: VoteNews): readonly VoteEvent[] =>
  subjects.map((subject, item) => ({
    kind: 'vote',
    vote: voteName(proposal, item, subjects.length),
    type,
    subject,
    ...(ended === undefined ? { state: 'open', outcome: undefined } : resultOf(options, ended[item])),
  }));
