/**
 * Where conformance tests run: against the endpoint in BUNDESCLOUD_ENDPOINT (with BUNDESCLOUD_FEDERATION naming the
 * federation.json that holds its users), else against a gateway over a federation
 * in this process (test/sim/memory-federation.ts).
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import { Registry } from 'prom-client'
import type { AccessLog } from '../../gateway/access-log/access-log.ts'
import { RegistryAccounts } from '../../gateway/accounts.ts'
import type { BucketDefaults } from '../../gateway/bucket-defaults.ts'
import { queryParts } from '../../gateway/iam/query-parts.ts'
import type { GatewayLimits } from '../../gateway/limits.ts'
import type { EventTargets } from '../../gateway/operation.ts'
import { RegistryCredentials } from '../../gateway/registry-credentials.ts'
import { createGateway } from '../../gateway/server.ts'
import { registerUser } from '../../gateway/users.ts'
import type { Clock } from '../../node/world.ts'
import { type FederationOptions, MemoryFederation } from '../sim/memory-federation.ts'
import { setVersioning } from './ask.ts'
import { type Keys, S3Client } from './s3-client.ts'

export interface TestUser extends Keys {
  readonly userId: string
  readonly userName: string
}

export const alice: TestUser = {
  accessKeyId: 'AKIATESTALICE0000001',
  secretAccessKey: 'alice/secret+0123456789abcdefghijklmnop',
  userId: 'a11ce',
  userName: 'alice',
}
export const bob: TestUser = {
  accessKeyId: 'AKIATESTBOB000000002',
  secretAccessKey: 'bob/secret+0123456789abcdefghijklmnopqr',
  userId: 'b0b',
  userName: 'bob',
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}

/** A gateway in this process. `federation` and `registry` are there for tests of the front alone. */
export interface LocalGateway {
  readonly app: FastifyInstance
  readonly federation: MemoryFederation
  readonly registry: Registry
  readonly port: number
  client(user?: TestUser): S3Client
  close(): Promise<void>
}

export const region = 'eu-central-1'

export async function startLocalGateway(
  options: {
    limits?: Partial<GatewayLimits>
    confidential?: boolean
    clock?: Clock
    federation?: FederationOptions
    port?: number
    bucketDefaults?: BucketDefaults
    region?: string
    legacyFormSignatures?: boolean
    eventTargets?: EventTargets
    accessLog?: (federation: MemoryFederation) => AccessLog
  } = {},
): Promise<LocalGateway> {
  const federation = await MemoryFederation.start(options.federation)
  const registry = new Registry()
  const clock = options.clock ?? systemClock
  for (const { userName, ...user } of [alice, bob]) {
    await registerUser(federation.client, federation.kms, {
      ...user,
      name: userName,
      email: `${userName}@example.org`,
    })
  }
  const credentials = new RegistryCredentials(federation.client, federation.kms)
  const app = createGateway({
    store: federation.store,
    accounts: new RegistryAccounts(federation.client),
    ...(options.bucketDefaults === undefined ? {} : { bucketDefaults: options.bucketDefaults }),
    credentials,
    query: queryParts({ cluster: federation.client, kms: federation.kms, clock, credentials }),
    region: options.region ?? region,
    domains: ['localhost', 's3.localhost'],
    websiteDomains: ['s3-website.localhost'],
    clock,
    registry,
    confidential: options.confidential ?? true,
    // A test that expects no internal error sees why there was one.
    logger: { error: (fields, message) => console.error(message, fields) },
    legacyFormSignatures: options.legacyFormSignatures ?? false,
    eventTargets: options.eventTargets ?? new Set<string>(),
    ...(options.accessLog === undefined ? {} : { accessLog: options.accessLog(federation) }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  })
  await app.listen({ host: '127.0.0.1', port: options.port ?? 0 })
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const { port } = address
  const clients: S3Client[] = []
  return {
    app,
    federation,
    registry,
    port,
    client: (user = alice) => {
      const client = new S3Client({ host: 'localhost', port, region: options.region ?? region }, user)
      clients.push(client)
      return client
    },
    close: async () => {
      for (const client of clients) client.close()
      await app.close()
      federation.close()
    },
  }
}

export interface BucketOptions {
  readonly versioning?: 'Enabled' | 'Suspended'
  readonly objectLock?: true
}

/** Clients of two users at the endpoint under test, and buckets that no other test uses. */
export interface Conformance {
  readonly s3: S3Client
  readonly other: S3Client
  readonly url: string
  /** True when the endpoint is a gateway in this process. */
  readonly local: boolean
  bucket(options?: BucketOptions): Promise<string>
  close(): Promise<void>
}

interface FederationFile {
  readonly endpoint: string
  readonly region: string
  readonly users: readonly { name: string; accessKeyId: string; secretAccessKey: string }[]
}

export async function startConformance(): Promise<Conformance> {
  const file = process.env.BUNDESCLOUD_FEDERATION
  if (file === undefined) {
    const gateway = await startLocalGateway()
    return conformance(gateway.client(alice), gateway.client(bob), true, () => gateway.close())
  }
  const federation = JSON.parse(readFileSync(file, 'utf8')) as FederationFile
  const url = new URL(process.env.BUNDESCLOUD_ENDPOINT ?? federation.endpoint)
  const endpoint = { host: url.hostname, port: Number(url.port), region: federation.region }
  const [first, second] = federation.users
  if (first === undefined || second === undefined) throw new Error('the federation needs two users')
  const s3 = new S3Client(endpoint, first)
  const other = new S3Client(endpoint, second)
  return conformance(s3, other, false, async () => {
    s3.close()
    other.close()
  })
}

function conformance(s3: S3Client, other: S3Client, local: boolean, close: () => Promise<void>): Conformance {
  return {
    s3,
    other,
    url: `http://127.0.0.1:${s3.endpoint.port}`,
    local,
    close,
    bucket: async ({ versioning, objectLock } = {}) => {
      const name = `test-${randomBytes(8).toString('hex')}`
      const headers = objectLock === undefined ? {} : { 'x-amz-bucket-object-lock-enabled': 'true' }
      const answer = await s3.send({ method: 'PUT', path: `/${name}`, headers })
      if (answer.status !== 200) throw new Error(`no bucket: ${answer.status} ${answer.text}`)
      if (versioning !== undefined) await setVersioning(s3, name, versioning)
      return name
    },
  }
}
