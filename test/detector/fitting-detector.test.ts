import { expect } from 'chai';
import { nodeId, type NodeId } from '../../src/core/ids.ts';
import { SeededRandom } from '../../src/core/random.ts';
import type { Detector } from '../../src/detector/detector.ts';
import { fittingDetector } from '../../src/detector/fitting-detector.ts';
import { LinkDetector } from '../../src/detector/link-detector.ts';
import { Swim } from '../../src/detector/swim.ts';
import { heartbeatMs, names, tickMs } from './support.ts';

const self = nodeId('self');
const peers = names(64);
const [dead, cut, well] = peers as [NodeId, NodeId, NodeId];
const small = peers.slice(0, 63);

/** One node's detector, with a membership that changes and peers that beat or don't. */
class Watcher {
  detector: Detector;
  nowMs = 0;
  readonly #options = { self, tickMs, heartbeatMs, random: new SeededRandom(1), incarnation: 7 };

  constructor(members: readonly NodeId[]) {
    this.detector = fittingDetector(this.#options, undefined, members, 0);
  }

  become(members: readonly NodeId[]): void {
    this.detector = fittingDetector(this.#options, this.detector, members, this.nowMs);
  }

  /** Those that beat are also those that answer. */
  run(forMs: number, beating: readonly NodeId[]): NodeId[] {
    const lost: NodeId[] = [];
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; ) {
      this.nowMs += tickMs;
      if (this.nowMs % heartbeatMs === 0) for (const peer of beating) this.detector.heard(peer, this.nowMs);
      this.detector.tick(this.nowMs);
      const ready = this.detector.takeReady();
      for (const { peer, to } of ready?.changes ?? []) if (to === 'down') lost.push(peer);
      for (const { to, message } of ready?.messages ?? []) {
        const answersFor = message.type === 'ProbeRequest' ? message.target : to;
        if (message.type === 'Nack' || message.type === 'Ack' || answersFor === dead) continue;
        if (message.type === 'Probe' && to === cut) continue;
        this.detector.step(to, { type: 'Ack', nonce: message.nonce, updates: [] }, this.nowMs);
      }
    }
    return lost;
  }
}

const others = small.filter((peer) => peer !== dead && peer !== cut);

describe('the detector that fits', () => {
  it('watches every link up to 64 members, and asks around beyond', () => {
    expect(new Watcher(small).detector).to.be.instanceOf(LinkDetector);
    expect(new Watcher(peers).detector).to.be.instanceOf(Swim);
  });

  it('remembers, when the cluster becomes large, who was lost and who was only behind a broken link, and calls nobody else lost', () => {
    const watcher = new Watcher(small);
    watcher.run(2000, small);
    expect(watcher.run(2000, others)).to.have.members([dead, cut]);
    const evidence = watcher.detector.evidence(dead);

    watcher.become(peers);
    expect(watcher.run(20_000, [])).to.deep.equal([]);

    expect(watcher.detector.state(dead)).to.equal('down');
    expect(watcher.detector.evidence(dead)).to.equal(evidence);
    expect(watcher.detector.isReachedByOthers(dead)).to.equal(false);
    expect(watcher.detector.isReachedByOthers(cut)).to.equal(true);
    expect(others.filter((peer) => watcher.detector.state(peer) !== 'up')).to.deep.equal([]);
  });

  it('remembers the same when it becomes small again, and gives everybody time to speak before silence counts', () => {
    const watcher = new Watcher(small);
    watcher.run(2000, small);
    watcher.run(2000, others);
    watcher.become(peers);
    watcher.run(5000, []);

    watcher.become(small);
    expect(watcher.run(900, [])).to.deep.equal([]);
    expect(
      watcher.run(
        2000,
        others.filter((peer) => peer !== well),
      ),
      'and then it counts',
    ).to.deep.equal([well]);

    expect([dead, cut, well].map((peer) => watcher.detector.state(peer))).to.deep.equal(['down', 'down', 'down']);
    watcher.run(100, [dead]);
    expect(watcher.detector.state(dead)).to.equal('up');
  });
});
