import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { ChaosChecks } from '../../../daemon/bench/chaos-checks.ts';
import { taskIdOf } from '../../../daemon/bench/chaos-load.ts';
import { keyOf, valueOf } from '../../../daemon/bench/writers.ts';

const task = (lane: number, i: number, ...states: string[]) => ({
  id: taskIdOf(lane, i),
  type: 'chaos',
  state: states.at(-1),
  attempt: 1,
  requires: [],
  priority: 5,
  history: states.map((state, at) => ({ index: at + 1, state })),
});

const key = (lane: number, i: number, value = valueOf(lane, i)) => ({ key: keyOf(lane, i), value, version: 1 });

describe('bench chaos: what is checked in the end', () => {
  const answers: Record<string, unknown> = {};
  let server: Server;
  let checks: ChaosChecks;

  before(async () => {
    server = createServer(({ url = '' }, response) => response.end(JSON.stringify(answers[url])));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    checks = new ChaosChecks([`http://127.0.0.1:${port}`], new AbortController().signal);
  });

  after(() => server.close());

  it('counts acknowledged writes that are missing or are others, over all pages', async () => {
    answers['/v1/kv?prefix=load%2F&limit=1000'] = { items: [key(0, 0), key(0, 1, 'other')], cursor: 'next' };
    answers['/v1/kv?prefix=load%2F&limit=1000&cursor=next'] = { items: [key(1, 0), key(1, 2)] };

    const [whole, lost] = [await checks.lostWrites([1, 1]), await checks.lostWrites([3, 2])];

    expect(whole).to.equal(0);
    expect(lost, '0/1 is another, 0/2 and 1/1 are missing').to.equal(3);
  });

  it('counts what became of the accepted tasks, and those that were completed twice', async () => {
    answers['/v1/tasks?limit=1000'] = {
      items: [
        task(0, 0, 'pending', 'assigned', 'running', 'succeeded'),
        task(0, 1, 'pending', 'running', 'dead'),
        task(0, 2, 'running', 'succeeded', 'running', 'succeeded'),
        task(0, 3, 'running'),
        task(1, 0, 'succeeded'),
      ],
    };

    const figures = await checks.tasks({ submitted: [5, 0] });

    expect(figures).to.deep.equal({ submitted: 5, succeeded: 2, givenUp: 1, unfinished: 2, completedTwice: 1 });
  });
});
