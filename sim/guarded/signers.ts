import { signBatch } from '../../src/byzantine/attestation.ts';
import { encodeCertificate } from '../../src/byzantine/certificate.ts';
import { genesisConfiguration } from '../../src/byzantine/configuration.ts';
import { configurationDigest, proposalId, proposalMessage } from '../../src/byzantine/encoding.ts';
import type { EpochRules } from '../../src/byzantine/epoch-chain.ts';
import type { EpochConfiguration } from '../../src/byzantine/epoch.ts';
import { type GuardedAction, payloadDigest } from '../../src/byzantine/guard.ts';
import { peerIdOf, publicKeyOf } from '../../src/byzantine/peer-id.ts';
import type { Proposal } from '../../src/byzantine/proposal.ts';
import { byzantineQuorum } from '../../src/byzantine/quorum.ts';
import { type NodeId, nodeId } from '../../src/core/ids.ts';
import { nodeHashes, type SigningKey, signingKey, verifySignature } from '../../src/crypto/node.ts';

export const rules: EpochRules = { hashes: nodeHashes, verify: verifySignature, keyOf: publicKeyOf, guardMembership: true };

/** What a certificate of the simulator says; by default that a quorum approved the action. */
export interface Wording {
  /** 0: approved, 1: rejected. */
  readonly outcome?: number;
  readonly signers?: number;
  /** By default as many as there are. */
  readonly configuration: EpochConfiguration;
}

/** The keys of a simulated cluster's nodes, made of their numbers. The votes themselves have a simulator of their own: here their certificates are simply signed. */
export class Signers {
  /** By node. */
  readonly ids: readonly NodeId[];
  readonly founding: EpochConfiguration;
  readonly #keys = new Map<NodeId, SigningKey>();
  #proposals = 0;

  constructor(nodes: number, founders: number) {
    this.ids = Array.from({ length: nodes }, (_, node) => {
      const key = signingKey(new Uint8Array(32).fill(node + 1));
      const id = nodeId(peerIdOf(key.publicKey));
      this.#keys.set(id, key);
      return id;
    });
    this.founding = genesisConfiguration('simulated', this.ids.slice(0, founders));
  }

  /** A certificate about an action, and the id of its proposal, which is new each time. */
  certificate({ kind, subject, payload }: GuardedAction, { configuration, outcome = 0, signers }: Wording) {
    const { cluster, epoch, members } = configuration;
    const quorum = byzantineQuorum(members.length);
    const proposal: Proposal = {
      cluster,
      epoch,
      kind,
      items: [{ subject, payloadDigest: payloadDigest(nodeHashes, payload) }],
      options: ['approve', 'reject'],
      minSupport: quorum,
      proposer: 0,
      proposerSeq: ++this.#proposals,
      timeoutMs: 5000,
      notAfterMs: Number.MAX_SAFE_INTEGER,
    };
    const id = proposalId(nodeHashes, proposal);
    const attestation = {
      cluster,
      epoch,
      configuration: configurationDigest(nodeHashes, configuration),
      proposal: id,
      outcome: Uint8Array.of(outcome),
    };
    const attesters = members.slice(0, signers ?? quorum).flatMap((_, member) => {
      const [signature] = signBatch(nodeHashes, this.#signOf(configuration, member), [{ type: 'attestation', attestation }]);
      return signature === undefined ? [] : [{ member, signature }];
    });
    const signed = { id, proposal, signature: this.#signOf(configuration, 0)(proposalMessage(id)) };
    const bytes = encodeCertificate({ attestation, memberCount: members.length, attesters, proposal: signed, ballots: [] });
    return { id, bytes };
  }

  #signOf({ members }: EpochConfiguration, member: number): SigningKey['sign'] {
    const key = this.#keys.get(members[member]?.nodeId ?? nodeId('nobody'));
    if (key === undefined) throw new RangeError(`there is no member ${member}`);
    return key.sign;
  }
}
