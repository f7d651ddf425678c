import { expect } from 'chai';
import { epochOf } from '../../../lib/store/redis/identity.js';

describe('The epoch of a server', () => {
  const info = (fields: Record<string, string>) =>
    `# Server\r\n${Object.entries({
      redis_mode: 'standalone',
      run_id: 'run',
      role: 'master',
      master_replid: 'replication',
      ...fields,
    })
      .map(([field, value]) => `${field}:${value}\r\n`)
      .join('')}`;

  it('is constant while it runs as a master', () => {
    expect(epochOf(info({}))).to.equal(epochOf(info({ uptime_in_seconds: '7' })));
    expect(epochOf(info({}))).to.match(/^[\w-]{16}$/);
  });

  it('changes after a restart, and after a promotion to master', () => {
    expect(epochOf(info({}))).not.to.equal(epochOf(info({ run_id: 'another' })));
    expect(epochOf(info({}))).not.to.equal(epochOf(info({ master_replid: 'another' })));
  });

  it('is refused for a replica, a node of a cluster, and a server other than Redis', () => {
    expect(() => epochOf(info({ role: 'slave' }))).to.throw("its role is 'slave'");
    expect(() => epochOf(info({ redis_mode: 'cluster' }))).to.throw('a node of a Redis Cluster');
    expect(() => epochOf(info({ cluster_enabled: '1' }))).to.throw('a node of a Redis Cluster');
    expect(epochOf(info({ cluster_enabled: '1', redis_mode: 'cluster' }), true)).to.equal(epochOf(info({})));
    expect(() => epochOf(info({ run_id: '' }))).to.throw('no run_id');
    for (const nonsense of ['', 'OK', undefined, null, 7, {}, Buffer.from('x')]) {
      expect(() => epochOf(nonsense)).to.throw('no run_id');
    }
  });
});
