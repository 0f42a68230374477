import { expect } from 'chai';
import { CliError } from '../../../daemon/cli-error.ts';
import { clientSettings, nodeSettings } from '../../../daemon/node/config.ts';

const file = (text: string) => ({ text: `name = "node-1"\n${text}`, path: 'node.toml' });

function failureOf(action: () => unknown): CliError {
  try {
    action();
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('daemon: configuration of a node', () => {
  it('takes defaults for what is written nowhere', () => {
    const settings = nodeSettings({ file: file(''), env: {}, flags: {} });

    expect(settings).to.include({ name: 'node-1', httpPort: 7401, heartbeatMs: 100, electionTimeoutMs: 1000 });
  });

  it('prefers the file to defaults, the environment to the file and flags to the environment', () => {
    const sources = {
      file: file('http-port = 1\npeer-port = 1\nheartbeat-ms = 20'),
      env: { QUORATE_PEER_PORT: '2', QUORATE_HEARTBEAT_MS: '30ms' },
      flags: { 'heartbeat-ms': '40' },
    };

    const settings = nodeSettings(sources);

    expect(settings).to.include({ httpPort: 1, peerPort: 2, heartbeatMs: 40 });
  });

  it('names the nearest known key for an unknown one in the file', () => {
    const error = failureOf(() => nodeSettings({ file: file('htp-port = 1'), env: {}, flags: {} }));

    expect(error.exitCode).to.equal(2);
    expect(error.message).to.contain('htp-port in node.toml');
    expect(error.next).to.contain('http-port');
  });

  it('names the nearest known variable for an unknown one', () => {
    const error = failureOf(() => nodeSettings({ file: file(''), env: { QUORATE_PEER_PROT: '1' }, flags: {} }));

    expect(error.next).to.equal('did you mean QUORATE_PEER_PORT?');
  });

  it('lets the variables of clients and of Kubernetes be', () => {
    const env = { QUORATE_ENDPOINTS: 'http://127.0.0.1:1', QUORATE_SERVICE_HOST: '10.0.0.1', QUORATE_PORT: 'tcp://10.0.0.1:1' };

    expect(() => nodeSettings({ file: file(''), env, flags: {} })).not.to.throw();
  });

  for (const [flag, value] of [
    ['http-port', 'seven'],
    ['http-port', '65536'],
    ['heartbeat-ms', '1'],
    ['log-level', 'loud'],
    ['election-timeout-ms', '300'],
  ] as const) {
    it(`refuses ${flag} ${value} and names it`, () => {
      const error = failureOf(() => nodeSettings({ file: file(''), env: {}, flags: { [flag]: value } }));

      expect(error.exitCode).to.equal(2);
      expect(error.message).to.contain(flag);
    });
  }

  it('is frozen', () => {
    expect(nodeSettings({ file: file(''), env: {}, flags: {} })).to.be.frozen;
  });
});

describe('daemon: configuration of a client', () => {
  it('prefers flags to the environment', () => {
    const settings = clientSettings(
      { endpoints: '127.0.0.1:1,http://127.0.0.1:2/' },
      { QUORATE_ENDPOINTS: 'http://127.0.0.1:3', QUORATE_TIMEOUT: '2s' },
    );

    expect(settings.endpoints).to.deep.equal(['http://127.0.0.1:1', 'http://127.0.0.1:2']);
    expect(settings.timeoutMs).to.equal(2000);
  });

  it('names the known words for one that is not', () => {
    const error = failureOf(() => clientSettings({ output: 'jsn' }, {}));

    expect(error.message).to.contain('table, json, ndjson');
    expect(error.next).to.equal('try json');
  });
});
