import { type Attestation, type Signable, signBatch } from '../../src/byzantine/attestation.ts';
import type { SignedBallot } from '../../src/byzantine/ballot.ts';
import { type Certificate, encodeCertificate } from '../../src/byzantine/certificate.ts';
import { genesisConfiguration } from '../../src/byzantine/configuration.ts';
import { digest } from '../../src/byzantine/digest.ts';
import { configurationDigest, proposalId, proposalMessage } from '../../src/byzantine/encoding.ts';
import type { EpochConfiguration, MemberIndex } from '../../src/byzantine/epoch.ts';
import { type GuardedAction, payloadDigest } from '../../src/byzantine/guard.ts';
import { peerIdOf } from '../../src/byzantine/peer-id.ts';
import type { Proposal, SignedProposal } from '../../src/byzantine/proposal.ts';
import { byzantineQuorum } from '../../src/byzantine/quorum.ts';
import { nodeHashes, type SigningKey, signingKey } from '../../src/crypto/node.ts';

export const fixedSeeds = (n: number): readonly Uint8Array[] => Array.from({ length: n }, (_, i) => new Uint8Array(32).fill(i + 1));

export const someDigest = (byte: number) => digest(byte.toString(16).padStart(2, '0').repeat(32));

interface ElectorateOptions {
  readonly cluster?: string;
  readonly epoch?: number;
  /** Of the members' keys; there may be more than members. */
  readonly seeds?: readonly Uint8Array[];
  /** Instead of the founding members that the seeds make. */
  readonly configuration?: EpochConfiguration;
}

/** N members with keys of fixed or given seeds, and what they sign. */
export class Electorate {
  readonly configuration: EpochConfiguration;
  readonly n: number;
  readonly quorum: number;
  readonly #keys: readonly SigningKey[];

  constructor(n: number, { cluster = 'cluster-a', epoch = 0, seeds = fixedSeeds(n), configuration }: ElectorateOptions = {}) {
    const keys = new Map(
      seeds.map((seed) => {
        const key = signingKey(seed);
        return [peerIdOf(key.publicKey), key] as const;
      }),
    );
    this.configuration = configuration ?? { ...genesisConfiguration(cluster, [...keys.keys()]), epoch };
    this.n = n;
    this.quorum = byzantineQuorum(n);
    this.#keys = this.configuration.members.flatMap(({ nodeId }) => keys.get(nodeId) ?? []);
  }

  /** The text of a genesis file. */
  get genesis(): string {
    const members = this.configuration.members.map(({ nodeId }, i) => ({
      nodeId,
      name: `node-${i}`,
      http: `http://127.0.0.1:${7401 + i}`,
      peer: `127.0.0.1:${7501 + i}`,
    }));
    return JSON.stringify({ version: 1, clusterId: this.configuration.cluster, members: members.toReversed() });
  }

  proposal(changes: Partial<Proposal> = {}): SignedProposal {
    const { cluster, epoch } = this.configuration;
    const proposal: Proposal = {
      cluster,
      epoch,
      kind: 'deployment-approve',
      items: [{ subject: 'deploy:web@sha256:1234', payloadDigest: someDigest(7) }],
      options: ['approve', 'reject'],
      minSupport: this.quorum,
      proposer: 1,
      proposerSeq: 9,
      timeoutMs: 5000,
      notAfterMs: 1_800_000_000_000,
      ...changes,
    };
    const id = proposalId(nodeHashes, proposal);
    return { id, proposal, signature: this.keyOf(proposal.proposer).sign(proposalMessage(id)) };
  }

  attestation({ id, proposal }: SignedProposal, outcome: readonly number[]): Attestation {
    const { cluster, epoch } = proposal;
    const configuration = configurationDigest(nodeHashes, this.configuration);
    return { cluster, epoch, configuration, proposal: id, outcome: Uint8Array.from(outcome) };
  }

  /** Signs in the middle of a batch of five, so that there is a path. */
  sign(member: MemberIndex, thing: Signable) {
    const other: Signable = { type: 'expiry', expiry: { proposal: someDigest(member), voter: member, items: Uint8Array.of(1) } };
    const [, , , signature] = signBatch(nodeHashes, this.keyOf(member).sign, [other, other, other, thing, other]);
    if (signature === undefined) throw new Error('a batch of five has a fourth signature');
    return signature;
  }

  ballot(voter: MemberIndex, { id }: SignedProposal, choices: readonly number[]): SignedBallot {
    const ballot = { proposal: id, voter, choices: Uint8Array.from(choices) };
    return { ballot, signature: this.sign(voter, { type: 'ballot', ballot }) };
  }

  /** A certificate of the first `signers` members; with a ballot of each for the outcome if `withBallots`. */
  certificate({ outcome = [0], signers = this.quorum, proposal = this.proposal(), withBallots = false } = {}): Certificate {
    const attestation = this.attestation(proposal, outcome);
    const members = Array.from({ length: signers }, (_, member) => member);
    return {
      attestation,
      memberCount: this.n,
      attesters: members.map((member) => ({ member, signature: this.sign(member, { type: 'attestation', attestation }) })),
      proposal,
      ballots: withBallots ? members.map((member) => this.ballot(member, proposal, outcome)) : [],
    };
  }

  /** The bytes of a certificate that permits an action. */
  approval({ kind, subject, payload }: GuardedAction, changes: Partial<Proposal> = {}): Uint8Array {
    const items = [{ subject, payloadDigest: payloadDigest(nodeHashes, payload) }];
    return encodeCertificate(this.certificate({ proposal: this.proposal({ kind, items, ...changes }) }));
  }

  keyOf(member: MemberIndex): SigningKey {
    const key = this.#keys[member];
    if (key === undefined) throw new Error(`there is no member ${member}`);
    return key;
  }
}
