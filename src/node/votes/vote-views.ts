import type { Certificate } from '../../byzantine/certificate.ts';
import type { EpochConfiguration, MemberIndex } from '../../byzantine/epoch.ts';
import type { SignedProposal } from '../../byzantine/proposal.ts';
import { byzantineQuorum, faultTolerance } from '../../byzantine/quorum.ts';
import { expired, split } from '../../byzantine/witness.ts';
import { type Instance, optionName } from './instance.ts';
import type { VoteEvent, VoteView } from './vote-service.ts';

const nameOf = ({ members }: EpochConfiguration, member: MemberIndex): string => members[member]?.nodeId ?? `member ${member}`;

type Asked = Omit<VoteView, 'state' | 'payload' | 'outcome' | 'ballots' | 'certificate'>;

function asked({ id, proposal }: SignedProposal, configuration: EpochConfiguration): Asked {
  const { kind, items, options, minSupport, timeoutMs, notAfterMs, proposer } = proposal;
  const n = configuration.members.length;
  const [item] = items;
  return {
    id,
    kind,
    subject: item?.subject ?? '',
    payloadDigest: item?.payloadDigest ?? '',
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
export function openView(instance: Instance, configuration: EpochConfiguration): VoteView {
  const { options, items } = instance.proposal.proposal;
  const [item] = items;
  return {
    ...asked(instance.proposal, configuration),
    state: 'open',
    payload: item && instance.payloads.get(item.payloadDigest),
    outcome: undefined,
    ballots: instance.ballots.flatMap((ballot) =>
      ballot === undefined ? [] : [{ node: nameOf(configuration, ballot.voter), choice: optionName(options, ballot.choices[0]) }],
    ),
    certificate: undefined,
  };
}

export function certifiedView(certificate: Certificate, configuration: EpochConfiguration): VoteView {
  const { options } = certificate.proposal.proposal;
  const [choice] = certificate.attestation.outcome;
  const isDecided = choice !== split && choice !== expired;
  return {
    ...asked(certificate.proposal, configuration),
    state: isDecided ? 'decided' : 'no_consensus',
    payload: undefined,
    outcome: isDecided ? (optionName(options, choice) ?? undefined) : choice === split ? 'split' : 'expired',
    ballots: certificate.ballots.map(({ ballot }) => ({
      node: nameOf(configuration, ballot.voter),
      choice: optionName(options, ballot.choices[0]),
    })),
    certificate,
  };
}

/** For watchers. */
export const eventOf = ({ id, kind, subject, state, outcome }: VoteView): VoteEvent => ({
  kind: 'vote',
  vote: id,
  type: kind,
  subject,
  state,
  outcome,
});
