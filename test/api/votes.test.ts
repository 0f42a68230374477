import { expect } from 'chai';
import { DevCluster, json } from '../end-to-end/dev-cluster.ts';

describe('api: votes, asked wrongly or of too few', function () {
  this.timeout(60_000);
  let cluster: DevCluster;

  before(async () => {
    cluster = await DevCluster.up(1, '--heartbeat-ms', '20', '--election-timeout-ms', '200');
  });

  after(() => cluster.down());

  const call = (method: string, path: string, body?: unknown) =>
    json(`${cluster.endpoints[0]}${path}`, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  const unknown = `/v1/votes/${'0'.repeat(64)}`;

  it('are byzantine_unavailable among fewer than four voters', async () => {
    expect(await call('POST', '/v1/votes', { subject: 'web@1' })).to.include({ status: 409, code: 'byzantine_unavailable', n: 1 });

    const many = await call('POST', '/v1/votes', [{ subject: 'web@1' }, { subject: 'web@2', bundle: false }]);

    expect(many?.['items']).to.have.nested.property('[1].code', 'byzantine_unavailable');
    expect(many?.['certificates']).to.deep.equal([]);
  });

  for (const [field, body] of [
    ['subject', {}],
    ['subject', { subject: '' }],
    ['subject', { subject: 'é'.repeat(129) }],
    ['kind', { subject: 'web', kind: '' }],
    ['options', { subject: 'web', options: ['approve'] }],
    ['options', { subject: 'web', options: ['approve', 'approve'] }],
    ['options.0', { subject: 'web', options: ['a'.repeat(65), 'b'] }],
    ['minSupport', { subject: 'web', minSupport: 1.5 }],
    ['timeoutMs', { subject: 'web', timeoutMs: 99 }],
    ['timeoutMs', { subject: 'web', timeoutMs: 604_800_001 }],
    ['wait', { subject: 'web', wait: '30s' }],
    ['surprise', { subject: 'web', surprise: 1 }],
  ] as const)
    it(`name the field ${field} of ${JSON.stringify(body).slice(0, 60)}`, async () => {
      expect(await call('POST', '/v1/votes', body)).to.include({ status: 400, code: 'invalid_argument', path: field });
    });

  it('are refused under an id that is none, and not found under one that is nobody knows', async () => {
    expect(await call('GET', '/v1/votes/xyz')).to.include({ status: 400, path: 'id' });
    expect(await call('GET', unknown)).to.include({ status: 404, code: 'not_found' });
    expect(await call('POST', `${unknown}/ballots`, { choice: 'approve' })).to.include({ status: 404 });
    expect(await call('POST', `${unknown}/ballots`, {})).to.include({ status: 400, path: 'choice' });
    expect(await call('GET', `${unknown}?wait=soon`)).to.include({ status: 400, path: 'wait' });
  });

  it('list nothing, have no evidence, and are in the OpenAPI document', async () => {
    const openApi = await call('GET', '/openapi.json');

    expect(await call('GET', '/v1/votes')).to.deep.equal({ items: [] });
    expect(await call('GET', '/v1/votes/evidence')).to.deep.equal({ items: [] });
    expect(openApi?.['paths']).to.include.keys('/v1/votes', '/v1/votes/{id}', '/v1/votes/{id}/ballots', '/v1/votes/evidence');
  });
});
