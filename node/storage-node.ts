/**
 * A storage node: replicas of Raft groups, shards, workers and journal, wired onto one member of the federation.
 */
import { join } from 'node:path'
import type { NodeConfig } from './config.ts'
import { catalog } from './core/catalog.ts'
import type { ClusterMap, MapGroup } from './core/cluster-map.ts'
import { registryMachine } from './core/registry.ts'
import { ed25519Verify } from './io/identity.ts'
import { LevelStore } from './io/level-store.ts'
import { failStop, type Logger, type RunningProcess } from './io/process-life.ts'
import { openShardFiles } from './io/shard-files.ts'
import { systemClock, systemRandom } from './io/system-world.ts'
import { replicaLimits, storeLimits } from './limits.ts'
import { openMember } from './member.ts'
import type { Handlers } from './protocol/messages.ts'
import { groupHandlers } from './services/group-service.ts'
import { raftHandlers, raftNetwork } from './services/raft-network.ts'
import { Rebuilder } from './services/rebuild.ts'
import { ReplicaHost } from './services/replica.ts'
import { MetricCounts } from './services/shard-metrics.ts'
import { ShardService } from './services/shard-service.ts'

/** Starts everything that this node's roles and groups ask for; resolves when it listens. */
export async function startStorageNode(config: NodeConfig, logger: Logger): Promise<RunningProcess> {
  const onFatal = (cause: unknown) => failStop(logger, cause)
  const member = await openMember(config, logger)
  const { nodeId } = config
  const store = await LevelStore.open(join(config.dataDir, 'rows'), storeLimits)
  const host = new ReplicaHost({
    nodeId,
    store,
    clock: systemClock,
    random: systemRandom,
    network: raftNetwork(member.transport),
    limits: replicaLimits,
    onFatal,
  })
  for (const group of groupsOf(member.map(), nodeId)) {
    const identity = { groupId: group.groupId, epoch: 1, members: group.members }
    await host.addGroup(
      identity,
      group.kind === 'registry' ? registryMachine(member.genesis, ed25519Verify) : catalog,
    )
  }
  const shards = await openShardFiles({ root: join(config.dataDir, 'shards'), clock: systemClock, onFatal })
  const service = new ShardService({ store: shards, clock: systemClock, metrics: new MetricCounts() })
  const rebuilder = new Rebuilder({ nodeId, store: shards, caller: member.transport })
  const registry = member.map().groups.find((group) => group.kind === 'registry')
  if (registry === undefined) throw new Error('the genesis names no registry group')
  const handlers: Handlers = {
    ...groupHandlers((groupId) => host.groups.get(groupId), registry),
    ...raftHandlers((from, messages) => host.receive(from, messages)),
    ...service.handlers,
    'rebuild-shard': rebuilder.handler,
  }
  service.start()
  const ready = await member.serve(handlers)
  return {
    ready,
    close: async () => {
      service.stop()
      host.close()
      await member.close()
      await shards.close()
      await store.close()
    },
  }
}

function groupsOf(map: ClusterMap, nodeId: string): MapGroup[] {
  return map.groups.filter((group) => group.members.some((member) => member.nodeId === nodeId))
}
