import { expect } from 'chai';
import { nodeId, type NodeId } from '../../src/core/ids.ts';
import { Links } from '../../src/node/links.ts';

const [n1, n2, n3] = ['n1', 'n2', 'n3'].map(nodeId) as [NodeId, NodeId, NodeId];
const voters = [n1, n2, n3];

/** Links of n1 that has ticked every 20 ms for `forMs`, and last heard the peers at the end of it. */
function listening(forMs: number): Links {
  const links = new Links(n1, 1000, 0);
  tick(links, 0, forMs);
  links.heard(n2, forMs);
  links.heard(n3, forMs);
  return links;
}

function tick(links: Links, fromMs: number, toMs: number): void {
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += 20) links.onTick(nowMs);
}

describe('links', () => {
  it('call it a minority when the others were silent for an election timeout', () => {
    const links = listening(3000);
    tick(links, 3000, 3980);
    expect(links.isMinority(voters, 3980)).to.equal(false);
    tick(links, 4000, 4000);
    expect(links.isMinority(voters, 4000)).to.equal(true);
    links.heard(n3, 4010);
    expect(links.isMinority(voters, 4010)).to.equal(false);
  });

  it('say nothing about a minority before peers had time to be heard', () => {
    const links = new Links(n1, 1000, 0);
    tick(links, 0, 1980);
    expect(links.isMinority(voters, 1980)).to.equal(false);
    tick(links, 2000, 2000);
    expect(links.isMinority(voters, 2000)).to.equal(true);
  });

  it('take time in which this node did not run for no silence of its peers', () => {
    const links = listening(3000);
    // Paused for ten seconds: what the peers sent meanwhile has not been read yet.
    expect(links.isMinority(voters, 13_000)).to.equal(false);
    links.onTick(13_000);
    expect(links.isMinority(voters, 13_000)).to.equal(false);
    tick(links, 13_020, 13_740);
    expect(links.isReachable(n2, 13_740)).to.equal(true);
    tick(links, 13_760, 13_760);
    expect(links.isReachable(n2, 13_760), 'and they have really fallen silent').to.equal(false);
  });

  it('lose a peer at once with its connection', () => {
    const links = listening(3000);
    links.lost(n2);
    expect(links.isReachable(n2, 3000)).to.equal(false);
    expect(links.isReachable(n1, 3000)).to.equal(true);
  });

  it('is a minority as long as too few voters hear it, whomever it hears', () => {
    const links = new Links(n1, 1000, 0);
    links.onTick(100);
    for (const voter of voters) links.heard(voter, 100);

    links.onUnheard(true);
    expect(links.isMinority(voters, 120)).to.equal(true);
    links.onUnheard(false);
    expect(links.isMinority(voters, 120)).to.equal(false);
  });
});
