/**
 * A storage node: replicas of Raft groups, shards and journals, put onto one member of the federation.
 *
 * Only wiring: what is built, in which order it starts and ends. Ends in the reverse order; a kill at any point is
 * survived by what each part keeps on disk.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { selfTest } from '../wasm/self-test.ts'
import type { NodeConfig } from './config.ts'
import { catalog } from './core/catalog.ts'
import type { ClusterMap, MapGroup } from './core/cluster-map.ts'
import { registryMachine } from './core/registry.ts'
import { answerRegistryQuery } from './core/registry-queries.ts'
import { serveJournals } from './io/auditor-channel.ts'
import { DiskUsageMeter } from './io/disk-usage.ts'
import { writeFileDurably } from './io/durable-file.ts'
import { ed25519Verify } from './io/identity.ts'
import { Ledger } from './io/ledger.ts'
import { LevelStore } from './io/level-store.ts'
import { failStop, type Logger, type RunningProcess } from './io/process-life.ts'
import { openShardFiles } from './io/shard-files.ts'
import { systemClock, systemRandom } from './io/system-world.ts'
import { journalIntervalMs, replicaLimits, storeLimits } from './limits.ts'
import { Member } from './member.ts'
import { registerNodeGauges } from './node-metrics.ts'
import type { Handlers } from './protocol/messages.ts'
import { BucketPools } from './services/bucket-pools.ts'
import { GroupRouter } from './services/group-router.ts'
import { groupHandlers } from './services/group-service.ts'
import { journalGroupOf } from './services/journal-group.ts'
import { JournalService } from './services/journal-service.ts'
import { raftHandlers, raftNetwork } from './services/raft-network.ts'
import { Rebuilder } from './services/rebuild.ts'
import { registryBuckets } from './services/registry-buckets.ts'
import { ReplicaHost } from './services/replica.ts'
import type { Group } from './services/replica-group.ts'
import { catalogAccessOf, catalogGroupOf } from './services/shard-group.ts'
import { MetricCounts, type ShardMetrics, shardMetrics } from './services/shard-metrics.ts'
import { ShardService } from './services/shard-service.ts'
import { createShardWorkers, shardWorkersDefaults } from './services/shard-workers.ts'
import type { RowStore } from './world.ts'

/** Starts everything that this node's roles and groups ask for; resolves when it listens. */
export async function startStorageNode(config: NodeConfig, logger: Logger): Promise<RunningProcess> {
  selfTest()
  const onFatal = (cause: unknown) => failStop(logger, cause)
  const member = await Member.open(config, 'node', logger)
  const store = await LevelStore.open(join(config.dataDir, 'rows'), storeLimits)
  const host = new ReplicaHost({
    nodeId: config.nodeId,
    store,
    clock: member.agreedClock,
    random: systemRandom,
    network: raftNetwork(member.transport),
    limits: replicaLimits,
    onFatal,
  })
  const groups = await openGroups(host, member)
  const shards = await startShards({ config, member, groups: groups.catalogs, onFatal, logger })
  const journals = await startJournals({ config, member, store, groups: groups.all, logger })
  registerNodeGauges(member.metrics.registry, {
    groups: () => groups.all,
    disk: shards.disk,
    journals: () => journals.states(),
  })
  member.admin.addRoute('/status', async () => ({
    nodeId: config.nodeId,
    epoch: member.map().epoch,
    groups: groups.all.map((group) => group.status()),
    journals: journals.states(),
    peers: member.transport.peers(),
    ...(await shards.status()),
  }))
  member.admin.addCheck('groups', async () => {
    const leaderless = groups.all.filter((group) => group.status().leaderId === undefined)
    if (leaderless.length > 0)
      throw new Error(`no leader known of ${leaderless.map((group) => group.groupId)}`)
  })
  const handlers: Handlers = {
    ...groupHandlers((groupId) => host.groups.get(groupId), groups.registry),
    ...raftHandlers((from, messages) => host.receive(from, messages)),
    ...shards.handlers,
    'sign-journal': async (request, { from }) => ({ reply: await journals.handle(from, request) }),
  }
  const ready = await member.serve(handlers)
  shards.start()
  return {
    ready,
    close: async () => {
      shards.stop()
      await journals.close()
      host.close()
      await member.close()
      await shards.close()
      await store.close()
    },
  }
}

/** Opens the replicas of all groups that name this node. A replica of the registry hands new maps on at once. */
async function openGroups(host: ReplicaHost, member: Member) {
  const all: Group[] = []
  const catalogs: Group[] = []
  const registry = member.map().groups.find((group) => group.kind === 'registry')
  if (registry === undefined) throw new Error('the cluster map names no registry group')
  for (const { groupId, kind, members } of groupsOf(member.map(), member.nodeId)) {
    const machine = kind === 'registry' ? registryMachine(member.genesis, ed25519Verify) : catalog
    const group = await host.addGroup({ groupId, epoch: FIRST_GROUP_EPOCH, members }, machine)
    all.push(group)
    if (kind === 'catalog') catalogs.push(group)
    else group.onCommitted(() => void offerNewestMap(group, member))
  }
  return { all, catalogs, registry }
}

/** Groups are founded once; a group that is founded anew after a catastrophe gets a higher epoch. */
const FIRST_GROUP_EPOCH = 1

async function offerNewestMap(group: Group, member: Member): Promise<void> {
  const { map } = await answerRegistryQuery(group, { kind: 'map', newerThan: member.map().epoch })
  if (map !== undefined) member.offerMap(map)
}

function groupsOf(map: ClusterMap, nodeId: string): MapGroup[] {
  return map.groups.filter((group) => group.members.some((member) => member.nodeId === nodeId))
}

/** Shard files, their service and the workers around them. */
async function startShards(parts: {
  config: NodeConfig
  member: Member
  groups: readonly Group[]
  onFatal: (cause: unknown) => void
  logger: Logger
}) {
  const { config, member, groups, onFatal, logger } = parts
  const { nodeId } = config
  const root = join(config.dataDir, 'shards')
  const shards = await openShardFiles({ root, clock: systemClock, onFatal })
  const counts = new MetricCounts()
  const metrics = both(member.metrics.table(shardMetrics), counts)
  const caller = member.transport
  const parcel = { nodeId, store: shards, caller, clock: systemClock, metrics }
  const router = new GroupRouter({
    caller,
    map: member.map,
    isUp: member.isUp,
    clock: systemClock,
    random: systemRandom,
  })
  const progressFile = join(config.dataDir, 'scrub.json')
  const workers = createShardWorkers({
    ...parcel,
    random: systemRandom,
    map: member.map,
    isUp: member.isUp,
    groups: groups.map((group) => catalogGroupOf(group, systemRandom)),
    catalog: catalogAccessOf(router, systemRandom),
    buckets: () => registryBuckets(router),
    agreedClock: member.agreedClock,
    poolOf: new BucketPools({ router, map: member.map, clock: systemClock }).poolOf,
    scrubProgress: {
      load: async () => readFileOr(progressFile, ''),
      save: async (after) => {
        await writeFileDurably(progressFile, after)
      },
    },
    config: { ...shardWorkersDefaults, ...workerTimes(config) },
    log: (message, details) => logger.info(details, message),
  })
  const service = new ShardService({ ...parcel, onCorrupt: workers.suspect })
  const disk = new DiskUsageMeter(root)
  const handlers: Handlers = { ...service.handlers, 'rebuild-shard': new Rebuilder(parcel).handler }
  return {
    handlers,
    disk,
    status: async () => ({ shards: statusOfDisk(await disk.read()), ...censusOf(counts) }),
    start: () => {
      service.start()
      workers.start()
    },
    stop: () => {
      workers.stop()
      service.stop()
    },
    close: () => shards.close(),
  }
}

/** Census and collection are looked at often where the delays are short, as in a local federation. */
function workerTimes(config: NodeConfig) {
  const { repairDelayMs, gcGraceMs, garbageDelayMs, lifecycleDaySeconds } = config
  const censusIntervalMs = Math.min(shardWorkersDefaults.censusIntervalMs, Math.max(repairDelayMs, 5_000))
  const lifecycleDayMs = lifecycleDaySeconds * 1_000
  return { repairDelayMs, gcGraceMs, garbageDelayMs, censusIntervalMs, lifecycleDayMs }
}

function statusOfDisk(usage: Awaited<ReturnType<DiskUsageMeter['read']>>) {
  return {
    count: usage.shards,
    bytes: usage.shardBytes,
    freeBytes: usage.freeBytes,
    sizeBytes: usage.sizeBytes,
  }
}

/** What the last census of the groups led here found, by name of the metric. */
function censusOf({ values }: MetricCounts) {
  const degraded = shardMetrics.bundescloud_blobs_degraded.label.values.map((missing) => [
    missing,
    values.get(`bundescloud_blobs_degraded{${missing}}`) ?? 0,
  ])
  return {
    degraded: Object.fromEntries(degraded) as Record<string, number>,
    repair: {
      backlogBlobs: values.get('bundescloud_repair_backlog_blobs') ?? 0,
      misplacedBlobs: values.get('bundescloud_blobs_misplaced') ?? 0,
      lostBlobs: values.get('bundescloud_blobs_lost') ?? 0,
      garbageBlobs: values.get('bundescloud_gc_garbage_blobs') ?? 0,
    },
  }
}

/** Journals of all groups here; nodes without the owner's journal key take no part in them. */
async function startJournals(parts: {
  config: NodeConfig
  member: Member
  store: RowStore
  groups: readonly Group[]
  logger: Logger
}): Promise<Pick<JournalService, 'states' | 'handle' | 'close'>> {
  const { config, member, store, groups, logger } = parts
  if (config.journalKeyFile === undefined) {
    if (groups.length > 0) throw new Error('a replica of a group needs journalKeyFile in its configuration')
    return {
      states: () => [],
      handle: () => Promise.reject(new Error('no journals here')),
      close: async () => undefined,
    }
  }
  const ownerKey = Buffer.from(readFileSync(config.journalKeyFile, 'utf8').trim(), 'hex')
  const ledger = await Ledger.open(join(config.dataDir, 'journals'), {
    signer: member.keys.journal,
    ownerKey,
  })
  const journals = new JournalService({
    self: config.nodeId,
    ledger,
    store,
    clock: systemClock,
    sha256: (bytes) => createHash('sha256').update(bytes).digest('hex'),
    intervalMs: journalIntervalMs,
    members: (groupId) => journalMembers(member.map(), groupId),
    isKnownSigner: (publicKey) => member.map().nodes.some((node) => node.journalKey === publicKey),
    call: async (nodeId, groupId, payload) => {
      const { reply } = await member.transport.call(nodeId, 'sign-journal', { groupId, payload })
      return reply.payload
    },
    onFailure: (groupId, why, detail) => logger.warn({ groupId, why, detail }, 'journal round failed'),
  })
  for (const group of groups) journals.add(journalGroupOf(group, (index) => group.retainFrom(index)))
  serveJournals(ledger, member.swarm)
  return {
    states: () => journals.states(),
    handle: (from, request) => journals.handle(from, request),
    close: async () => {
      await journals.flush()
      await journals.close()
      await ledger.close()
    },
  }
}

function journalMembers(map: ClusterMap, groupId: string) {
  const members = map.groups.find((group) => group.groupId === groupId)?.members ?? []
  return members.flatMap(({ nodeId, learner }) => {
    const publicKey = map.nodes.find((node) => node.nodeId === nodeId)?.journalKey
    return publicKey === undefined ? [] : [{ nodeId, learner, publicKey }]
  })
}

function both(first: ShardMetrics, second: ShardMetrics): ShardMetrics {
  return {
    add: (metric, value, ...label) => {
      first.add(metric, value, ...label)
      second.add(metric, value, ...label)
    },
    set: (metric, value, ...label) => {
      first.set(metric, value, ...label)
      second.set(metric, value, ...label)
    },
  }
}

function readFileOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // Not written yet: a first start.
    return otherwise
  }
}
