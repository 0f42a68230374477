import { expect } from 'chai';
import type { NodeId } from '../../src/core/ids.ts';
import { PartitionWatch } from '../../src/partition/partition-state.ts';
import { groups, type Hears, nodes, Observer } from './support.ts';

const all = nodes(5);
const [n1] = all as [NodeId];
const everyone: Hears = () => true;

/** A node that looks every 50 ms. */
class Watcher {
  readonly observer: Observer;
  readonly watch = new PartitionWatch();
  readonly states: string[] = [];

  constructor(self: NodeId, members: readonly NodeId[] = all) {
    this.observer = new Observer(self, members);
    this.run(2000, everyone);
    this.states.length = 0;
  }

  run(forMs: number, hears: Hears, dead: readonly NodeId[] = []): string[] {
    for (const endMs = this.observer.nowMs + forMs; this.observer.nowMs < endMs; ) {
      this.observer.run(50, hears, dead);
      if (this.watch.observe(this.observer.view(), this.observer.nowMs)) this.states.push(this.watch.standing.state);
    }
    return this.states.splice(0);
  }

  heal(): boolean {
    return this.watch.onHealed(this.observer.view());
  }
}

describe('partition: states (4.3)', () => {
  it('goes from healthy by suspect to where it stands, and by healing back', () => {
    for (const [self, expected] of [
      [1, 'minority'],
      [3, 'majority'],
    ] as const) {
      const watcher = new Watcher(all[self - 1] ?? n1);
      expect(watcher.run(2000, groups('1,2/3,4,5'))).to.deep.equal(['suspect', expected]);
      expect(watcher.run(2000, everyone)).to.deep.equal(['healing']);
      expect(watcher.heal()).to.equal(true);
      expect(watcher.watch.standing).to.deep.equal({ state: 'healthy', class: 'none', degraded: false });
    }
  });

  it('classifies within a second of the last row', () => {
    const watcher = new Watcher(n1);
    watcher.run(700, groups('1,2/3,4,5'));
    expect(watcher.watch.standing).to.include({ state: 'minority', class: 'complete' });
  });

  it('says no quorum when nobody can have one', () => {
    const four = nodes(4);
    const watcher = new Watcher(n1, four);
    expect(watcher.run(2000, groups('1,2/3,4'))).to.deep.equal(['suspect', 'no_quorum']);
  });

  it('is healthy at once when the heal is settled while all its links are up', () => {
    const watcher = new Watcher(n1);
    watcher.run(2000, groups('1,2/3,4,5'));
    watcher.run(200, everyone);
    expect(watcher.watch.standing.state).to.equal('minority');

    expect(watcher.heal()).to.equal(true);

    expect(watcher.watch.standing.state).to.equal('healthy');
    expect(watcher.run(2000, everyone)).to.deep.equal([]);
  });

  it('is degraded when Raft can go on though not every link works', () => {
    const bridge = new Watcher(n1);
    bridge.run(2000, groups('1,2,3/3,4,5'));
    expect(bridge.watch.standing).to.deep.equal({ state: 'majority', class: 'partial', degraded: true });
    const crash = new Watcher(n1);
    crash.run(2000, everyone, [all[4] ?? n1]);
    expect(crash.watch.standing).to.deep.equal({ state: 'majority', class: 'node-loss', degraded: false });
  });

  it("takes a moment's trouble back without a heal", () => {
    const watcher = new Watcher(n1);
    watcher.run(200, groups('1,2/3,4,5'));
    const states = watcher.run(1000, everyone);
    expect(states.at(-1)).to.equal('healthy');
    expect(states).to.not.include('healing');
  });

  it('stays where it is while one split becomes another, and heals only after the last', () => {
    const watcher = new Watcher(n1);
    watcher.run(2000, groups('1,2/3,4,5'));
    expect(watcher.run(2000, groups('1/2,3,4,5'))).to.deep.equal([]);
    expect(watcher.run(2000, groups('1,2,3/4,5')), 'joins the majority').to.deep.equal(['majority']);
    expect(watcher.run(12_000, everyone), 'once the edges no longer count as flapping').to.deep.equal(['healing']);
    expect(watcher.run(2000, groups('1,2/3,4,5')), 'a second split during the heal').to.deep.equal(['suspect', 'minority']);
    expect(watcher.heal()).to.equal(false);
    expect(watcher.run(12_000, everyone)).to.deep.equal(['healing']);
  });
});
