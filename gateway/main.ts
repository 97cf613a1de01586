/**
 * Starts a gateway: `main.ts --config <file>`; or registers a user: `main.ts register-user --config <file>`, which
 * reads `{ userId, name, accessKeyId, secretAccessKey }` as JSON from standard input, never from the command line.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { ClusterClient } from '../node/client.ts'
import { openFileKms } from '../node/io/kms-file.ts'
import { createLogger, type Logger, type RunningProcess, runProcess } from '../node/io/process-life.ts'
import { systemClock, systemRandom } from '../node/io/system-world.ts'
import { Member } from '../node/member.ts'
import { type GatewayConfig, readGatewayConfig } from './config.ts'
import { ClusterObjectStore } from './object/cluster-object-store.ts'
import { RegistryCredentials } from './registry-credentials.ts'
import { createGateway } from './server.ts'
import { registerUser } from './users.ts'

const userSchema = z.object({
  userId: z.string().min(1).max(128),
  name: z.string().min(1).max(128),
  accessKeyId: z.string().regex(/^[A-Z0-9]{16,128}$/),
  secretAccessKey: z.string().min(32).max(128),
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

async function startGateway(config: GatewayConfig, logger: Logger): Promise<RunningProcess> {
  const member = await Member.open(config, 'gateway', logger)
  const cluster = clientOf(member)
  const kms = openFileKms(config.kms.file)
  const store = new ClusterObjectStore(cluster, kms, { onDegradedRead: () => undefined })
  const app = createGateway({
    store,
    credentials: new RegistryCredentials(cluster, kms),
    region: config.region,
    domains: config.domains,
    clock: systemClock,
    registry: member.metrics.registry,
    logger,
    hostName: config.nodeId,
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
  const ready = await member.serve({})
  await app.listen({ host: config.s3.host, port: config.s3.port })
  const bound = app.server.address()
  const port = bound !== null && typeof bound === 'object' ? bound.port : config.s3.port
  return {
    ready: { ...ready, s3: { host: config.s3.host, port } },
    close: async () => {
      await app.close()
      await member.close()
    },
  }
}

/** A short-lived process with the gateway's identity; the gateway itself must not run meanwhile. */
async function registerFromStdin(config: GatewayConfig, logger: Logger): Promise<void> {
  const users = z.array(userSchema).parse(JSON.parse(readFileSync(0, 'utf8')))
  const member = await Member.open(config, 'gateway', logger)
  await member.serve({})
  const cluster = clientOf(member)
  const kms = openFileKms(config.kms.file)
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
