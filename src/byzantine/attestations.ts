import { equalBytes } from '../core/bytes.ts';
import { type Attestation, type SignedAttestation, verifyBatched } from './attestation.ts';
import type { SignedBallot } from './ballot.ts';
import type { Certificate, Trust } from './certificate.ts';
import type { Digest } from './digest.ts';
import { configurationDigest } from './encoding.ts';
import type { DoubleAttestation } from './evidence.ts';
import type { MemberIndex } from './epoch.ts';
import type { SignedProposal } from './proposal.ts';
import { byzantineQuorum } from './quorum.ts';
import { expired, type Outcome, split } from './witness.ts';

/**
 * Gathers the members' attestations of one instance until they make a certificate. It keeps the first one of each member and takes none whose signature is
 * wrong, so a liar can withhold its own and hold up nothing else.
 */
export class Attestations {
  readonly #proposal: SignedProposal;
  readonly #trust: Trust;
  readonly #configuration: Digest;
  readonly #byMember = new Map<MemberIndex, SignedAttestation>();

  constructor(proposal: SignedProposal, trust: Trust) {
    this.#proposal = proposal;
    this.#trust = trust;
    this.#configuration = configurationDigest(trust.hashes, trust.configuration);
  }

  /** What a member signs when it has decided. */
  attestation(outcome: Outcome): Attestation {
    const { cluster, epoch } = this.#trust.configuration;
    return { cluster, epoch, configuration: this.#configuration, proposal: this.#proposal.id, outcome };
  }

  /** Takes in an attestation of anyone, also this node's own. `known`: nothing new; a `DoubleAttestation`: its signer lies. */
  add(signed: SignedAttestation): 'new' | 'known' | 'refused' | DoubleAttestation {
    const first = this.#byMember.get(signed.member);
    if (first !== undefined && equalBytes(first.outcome, signed.outcome)) return 'known';
    if (!this.#isRight(signed)) return 'refused';
    if (first !== undefined)
      return { kind: 'double_attestation', proposal: this.#proposal.id, member: signed.member, first, second: signed };
    this.#byMember.set(signed.member, signed);
    return 'new';
  }

  /** The certificate, as soon as a quorum attests one outcome, with the ballots that `ballotsFor` it has. A quorum's word is enough for a node that has not decided. */
  certificate(ballotsFor: (outcome: Outcome) => readonly SignedBallot[]): Certificate | undefined {
    const memberCount = this.#trust.configuration.members.length;
    const quorum = byzantineQuorum(memberCount);
    if (this.#byMember.size < quorum) return undefined;
    const all = [...this.#byMember.values()];
    const agreed = all
      .map(({ outcome }) => all.filter((other) => equalBytes(other.outcome, outcome)))
      .find(({ length }) => length >= quorum);
    const [some] = agreed ?? [];
    if (agreed === undefined || some === undefined) return undefined;
    return {
      attestation: this.attestation(some.outcome),
      memberCount,
      attesters: agreed.map(({ member, signature }) => ({ member, signature })).toSorted((a, b) => a.member - b.member),
      proposal: this.#proposal,
      ballots: ballotsFor(some.outcome).toSorted((a, b) => a.ballot.voter - b.ballot.voter),
    };
  }

  #isRight({ proposal, member, outcome, signature }: SignedAttestation): boolean {
    const { items, options } = this.#proposal.proposal;
    if (proposal !== this.#proposal.id || outcome.length !== items.length) return false;
    if (outcome.some((choice) => choice >= options.length && choice !== split && choice !== expired)) return false;
    const { hashes, verify, configuration } = this.#trust;
    const key = configuration.members[member]?.ed25519PublicKey;
    return (
      key !== undefined && verifyBatched(hashes, verify, key, { type: 'attestation', attestation: this.attestation(outcome) }, signature)
    );
  }
}
