import { createHash } from 'node:crypto';

/**
 * Computes the *epoch* of a server from its `INFO`. It changes with every restart and every promotion to a master.
 * Stamps of another epoch are not valid, because data that a server loaded from disk, or that a replica received before
 * its promotion, may lack the latest invalidations.
 *
 * The run id is not enough: a server that is demoted and promoted again without a restart keeps it, but gets another
 * replication id.
 *
 * @throws Error if it cannot be used
 */
export function epochOf(info: unknown, inCluster = false): string {
  const fields = parse(String(info));
  const runId = fields.get('run_id');
  if (!runId) {
    throw new Error('its INFO has no run_id, without which a restart with old data cannot be noticed.');
  }
  if (!inCluster && (fields.get('redis_mode') === 'cluster' || fields.get('cluster_enabled') === '1')) {
    throw new Error(`it is a node of a Redis Cluster. ${NO_CLUSTER}`);
  }
  const role = fields.get('role');
  // a replica in a cluster may be asked for the topology; commands with keys it answers by MOVED
  if (role !== 'master' && !inCluster) {
    throw new Error(
      `its role is '${role}', not 'master': a replica lags behind. Connect to the master, or through Sentinel.`,
    );
  }
  const identity = `${FORMAT} ${runId} ${fields.get('master_replid')}${role === 'master' ? '' : ' replica'}`;
  return createHash('sha256').update(identity).digest('base64url').slice(0, 16);
}

/** The format of registries and stamps. Another format is another epoch. */
const FORMAT = 4;

const NO_CLUSTER = "Give a Cluster of ioredis as 'redis', which knows all nodes.";

function parse(info: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of info.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) {
      fields.set(line.slice(0, colon), line.slice(colon + 1));
    }
  }
  return fields;
}
