/**
 * Starts a gateway: `main.ts --config <file>`; or registers a user: `main.ts register-user --config <file>`, which
 * reads `{ userId, name, accessKeyId, secretAccessKey }` as JSON from standard input, never from the command line.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { ClusterClient } from '../node/client.ts'
import { openFileKms } from '../node/io/kms-file.ts'
import { openTransitKms } from '../node/io/kms-transit.ts'
import { createLogger, type Logger, type RunningProcess, runProcess } from '../node/io/process-life.ts'
import { systemClock, systemRandom } from '../node/io/system-world.ts'
import { Member } from '../node/member.ts'
import type { MetricSpec, Metrics } from '../node/metrics.ts'
import type { Kms } from '../node/world.ts'
import { selfTest } from '../wasm/self-test.ts'
import { AccessLog } from './access-log/access-log.ts'
import { logDelivery } from './access-log/deliver.ts'
import { RegistryAccounts } from './accounts.ts'
import { BucketQuotas } from './bucket-quotas.ts'
import { bucketDefaultsOf, type GatewayConfig, isConfidential, readGatewayConfig } from './config.ts'
import { createRequestId } from './exchange.ts'
import { queryParts } from './iam/query-parts.ts'
import { clusterEvents } from './notification/cluster-events.ts'
import { EventDelivery } from './notification/event-delivery.ts'
import { WebhookTargets } from './notification/webhook.ts'
import { ClusterObjectStore, type ObjectStoreEvents } from './object/cluster-object-store.ts'
import { openDoor } from './operator-door.ts'
import { RegistryCredentials } from './registry-credentials.ts'
import { createGateway } from './server.ts'
import { registerUser, UserDirectory } from './users.ts'

const objectMetrics = {
  bundescloud_reads_degraded_total: {
    type: 'counter',
    help: 'Holders that failed, lied or were late during a read, so that another shard was used',
  },
  bundescloud_writes_site_rule_waived_total: {
    type: 'counter',
    help: 'Blobs acknowledged that survive the next node but not the next site, since too few sites were up',
  },
  bundescloud_writes_holder_replaced_total: {
    type: 'counter',
    help: 'Shards whose holder failed during the write and was replaced',
  },
} as const satisfies Record<string, MetricSpec>

const userSchema = z.object({
  userId: z.string().min(1).max(128),
  name: z.string().min(1).max(128),
  accessKeyId: z.string().regex(/^[A-Z0-9]{16,128}$/),
  secretAccessKey: z.string().min(32).max(128),
  email: z.string().max(320).optional(),
})

function clientOf(member: Member): ClusterClient {
  return new ClusterClient({
    caller: member.transport,
    map: member.map,
    isUp: member.isUp,
    clock: systemClock,
    random: systemRandom,
  })
}

const deliveryMetrics = {
  bundescloud_events_told_total: {
    type: 'counter',
    help: 'Attempts to tell a notification target of an event; orphaned: the target is configured no more',
    label: { name: 'outcome', values: ['delivered', 'failed', 'orphaned'] },
  },
  bundescloud_events_waiting: { type: 'gauge', help: 'Events that wait for a target, at the last look' },
  bundescloud_access_log_objects_total: { type: 'counter', help: 'Objects of access log lines delivered' },
  bundescloud_access_log_dropped_lines_total: {
    type: 'counter',
    help: 'Access log lines that were lost: no room in the spool, or a target bucket that is gone',
  },
} as const satisfies Record<string, MetricSpec>

/** Access logs and event notifications: what a gateway delivers behind the requests. */
function createDeliveries(parts: {
  config: GatewayConfig
  member: Member
  cluster: ClusterClient
  store: ClusterObjectStore
  logger: Logger
}) {
  const { config, member, cluster, store, logger } = parts
  const metrics = member.metrics.table(deliveryMetrics)
  const onError = (what: string) => (error: unknown) => logger.warn({ cause: error }, what)
  const accessLog = new AccessLog({
    folder: join(config.dataDir, 'access-log'),
    clock: systemClock,
    rollMs: config.accessLogRollSeconds * 1_000,
    deliver: logDelivery(store, createRequestId),
    onDropped: (lines) => metrics.add('bundescloud_access_log_dropped_lines_total', lines),
    onDelivered: (objects) => metrics.add('bundescloud_access_log_objects_total', objects),
    onFailed: onError('an access log could not be delivered'),
  })
  const targets = new WebhookTargets(config.eventTargets)
  const events = new EventDelivery({
    source: clusterEvents(cluster, createRequestId),
    targets,
    region: config.region,
    clock: systemClock,
    isMyTurn: () => firstGateway(cluster, config.nodeId) === config.nodeId,
    count: (outcome) => metrics.add('bundescloud_events_told_total', 1, outcome),
    onWaiting: (waiting) => metrics.set('bundescloud_events_waiting', waiting),
    onError: onError('events could not be looked at'),
  })
  return { accessLog, targets, events }
}

/** The first gateway of the map that is up, as this one sees it. */
function firstGateway(cluster: ClusterClient, self: string): string | undefined {
  const gateways = cluster.map().nodes.filter((node) => node.roles.includes('gateway'))
  const ids = gateways.map((node) => node.nodeId).sort()
  return ids.find((nodeId) => nodeId === self || cluster.isUp(nodeId))
}

/** What the object store reports, as counters. */
function storeEvents(metrics: Metrics): ObjectStoreEvents {
  const table = metrics.table(objectMetrics)
  return {
    onDegradedRead: () => table.add('bundescloud_reads_degraded_total', 1),
    onSiteRuleWaived: () => table.add('bundescloud_writes_site_rule_waived_total', 1),
    onHolderReplaced: () => table.add('bundescloud_writes_holder_replaced_total', 1),
  }
}

function openKms(config: GatewayConfig['kms']): Kms {
  return config.kind === 'file' ? openFileKms(config.file) : openTransitKms(config)
}

async function startGateway(config: GatewayConfig, logger: Logger): Promise<RunningProcess> {
  selfTest()
  const member = await Member.open(config, 'gateway', logger)
  const cluster = clientOf(member)
  const kms = openKms(config.kms)
  const store = new ClusterObjectStore(cluster, kms, storeEvents(member.metrics))
  const credentials = new RegistryCredentials(cluster, kms)
  const { accessLog, targets, events } = createDeliveries({ config, member, cluster, store, logger })
  const app = createGateway({
    store,
    accessLog,
    eventTargets: targets,
    accounts: new RegistryAccounts(cluster),
    bucketDefaults: bucketDefaultsOf(config),
    credentials,
    query: queryParts({ cluster, kms, clock: systemClock, credentials }),
    region: config.region,
    domains: config.domains,
    websiteDomains: config.websiteDomains,
    clock: systemClock,
    registry: member.metrics.registry,
    logger,
    hostName: config.nodeId,
    legacyFormSignatures: config.legacyFormSignatures,
    confidential: isConfidential(config),
    ...(config.s3Tls === undefined
      ? {}
      : {
          tls: {
            cert: readFileSync(config.s3Tls.certificateFile, 'utf8'),
            key: readFileSync(config.s3Tls.keyFile, 'utf8'),
          },
        }),
  })
  member.admin.addRoute('/status', () => ({
    nodeId: config.nodeId,
    epoch: member.map().epoch,
    peers: member.transport.peers(),
  }))
  member.admin.addCheck('groups', async () => {
    const lacking = groupsWithoutMajority(cluster)
    if (lacking.length > 0) throw new Error(`no majority is reached of ${lacking.join(', ')}`)
  })
  const ready = await member.serve({})
  await accessLog.start()
  events.start()
  await app.listen({ host: config.s3.host, port: config.s3.port })
  const bound = app.server.address()
  const port = bound !== null && typeof bound === 'object' ? bound.port : config.s3.port
  const users = new UserDirectory(cluster, kms, () => credentials.forget())
  const quotas = new BucketQuotas(store, createRequestId)
  const closeDoor = await openDoor(config.dataDir, { users, quotas })
  return {
    ready: { ...ready, s3: { host: config.s3.host, port } },
    close: async () => {
      closeDoor()
      await app.close()
      await events.stop()
      await accessLog.close()
      await member.close()
    },
  }
}

/** Groups of which fewer than a majority of the voters answer: their keys can be neither read nor written. */
function groupsWithoutMajority(cluster: ClusterClient): string[] {
  const lacking = cluster.map().groups.filter((group) => {
    const voters = group.members.filter((member) => !member.learner)
    return voters.filter((voter) => cluster.isUp(voter.nodeId)).length * 2 <= voters.length
  })
  return lacking.map((group) => group.groupId)
}

/** A short-lived process with the gateway's identity; the gateway itself must not run meanwhile. */
async function registerFromStdin(config: GatewayConfig, logger: Logger): Promise<void> {
  const users = z.array(userSchema).parse(JSON.parse(readFileSync(0, 'utf8')))
  const member = await Member.open(config, 'gateway', logger)
  await member.serve({})
  const cluster = clientOf(member)
  const kms = openKms(config.kms)
  for (const user of users) await registerUser(cluster, kms, user)
}

const { values, positionals } = parseArgs({ options: { config: { type: 'string' } }, allowPositionals: true })
if (values.config === undefined || positionals.length > 1) {
  process.stderr.write('usage: main.ts [register-user] --config <file>\n')
  process.exit(2)
}
const config = readGatewayConfig(values.config)
const logger = createLogger({ process: 'gateway', nodeId: config.nodeId })
if (positionals[0] === 'register-user') {
  await registerFromStdin(config, logger)
  process.exit(0)
} else await runProcess(logger, () => startGateway(config, logger))
