/**
 * `dev.json`: every decision of a local federation that is not derived, made once: shape, ports, users, name.
 *
 * Everything else (genesis, configurations) follows from it and from the keys, so founding can be repeated after a
 * crash at any point. It holds the users' secret keys: mode 0600.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { z } from 'zod'
import { writeFileDurably } from '../../node/io/durable-file.ts'
import { conformanceKeyNames, conformanceUsers } from './conformance.ts'
import type { Layout } from './layout.ts'
import { chooseFreePorts, isPortFree } from './ports.ts'
import { planShape, type ShapeRequest } from './shape.ts'

const port = z.number().int().min(1).max(65_535)
const memberPorts = z.object({ listen: port, admin: port })

const devSchema = z.object({
  format: z.literal(1),
  federationId: z.string(),
  sites: z.number().int(),
  nodesPerSite: z.number().int(),
  region: z.string(),
  ports: z.object({
    s3: port,
    dht: memberPorts,
    gateway: memberPorts,
    auditor: memberPorts,
    nodes: z.record(z.string(), memberPorts),
  }),
  users: z.array(
    z.object({
      userId: z.string(),
      name: z.string(),
      accessKeyId: z.string(),
      secretAccessKey: z.string(),
      email: z.string().optional(),
    }),
  ),
  /** Keys of the owner that clients may name (SSE-KMS). */
  kmsKeyNames: z.array(z.string()).default([]),
  /** As in gateway/config.ts. */
  legacyFormSignatures: z.boolean().default(false),
  bucketDefaults: z.enum(['aws', 'classic']).default('aws'),
})

export type DevFile = z.infer<typeof devSchema>
export type DevUser = DevFile['users'][number]
export type MemberPorts = z.infer<typeof memberPorts>

/** What the command line asked for; undefined: as it was, or the default. */
export interface DevRequest {
  readonly sites?: number
  readonly nodesPerSite?: number
  /** Port for S3 clients; 0: a free one. */
  readonly port?: number
  /** Adds what a conformance suite needs: see conformance.ts. It stays, however the federation is started later. */
  readonly conformance?: boolean
  /** As clients sign for it; undefined: as founded. */
  readonly region?: string
}

const defaults: ShapeRequest & { readonly port: number } = { sites: 3, nodesPerSite: 2, port: 9_000 }
const userNames = ['dock', 'evidence']

/** Reads the data directory's decisions, or makes them when it is new. Throws when `request` contradicts them. */
export async function openDevFile(layout: Layout, request: DevRequest): Promise<DevFile> {
  const found = readDevFile(layout)
  const plain = found === undefined ? await decide(layout, request) : await reconcile(found, request)
  const file = request.conformance === true ? withConformance(plain) : plain
  await writeFileDurably(layout.devFile, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 })
  return file
}

/** Undefined when the directory is not a local federation's. Throws on a damaged file. */
export function readDevFile(layout: Layout): DevFile | undefined {
  if (!existsSync(layout.devFile)) return undefined
  return devSchema.parse(JSON.parse(readFileSync(layout.devFile, 'utf8')))
}

async function decide(layout: Layout, request: DevRequest): Promise<DevFile> {
  refuseForeignFolder(layout)
  const sites = request.sites ?? defaults.sites
  const nodesPerSite = request.nodesPerSite ?? defaults.nodesPerSite
  const { nodes } = planShape({ sites, nodesPerSite })
  const free = await chooseFreePorts(2 * (nodes.length + 3) + 1)
  const take = (): number => free.pop() ?? 0
  const pair = (): MemberPorts => ({ listen: take(), admin: take() })
  const file: DevFile = {
    format: 1,
    federationId: `dev-${randomBytes(8).toString('hex')}`,
    sites,
    nodesPerSite,
    region: request.region ?? 'eu-central-1',
    ports: {
      s3: request.port === 0 ? take() : (request.port ?? defaults.port),
      dht: pair(),
      gateway: pair(),
      auditor: pair(),
      nodes: Object.fromEntries(nodes.map((node) => [node.nodeId, pair()])),
    },
    users: userNames.map((name) => newUser({ name })),
    kmsKeyNames: [],
    legacyFormSignatures: false,
    bucketDefaults: 'aws',
  }
  mkdirSync(layout.root, { recursive: true, mode: 0o700 })
  return file
}

async function reconcile(found: DevFile, request: DevRequest): Promise<DevFile> {
  const asked = `${request.sites ?? found.sites} x ${request.nodesPerSite ?? found.nodesPerSite}`
  const is = `${found.sites} x ${found.nodesPerSite}`
  if (asked !== is) {
    throw new Error(
      `this federation was founded with ${is} nodes, not ${asked}: add --fresh to begin again without its data, ` +
        'or choose another --data-dir',
    )
  }
  const region = request.region ?? found.region
  if (request.port === undefined || request.port === found.ports.s3) return { ...found, region }
  const s3 = request.port === 0 ? ((await chooseFreePorts(1))[0] ?? 0) : request.port
  return { ...found, region, ports: { ...found.ports, s3 } }
}

/** Adds the users and key names that are missing; those that are there keep their keys. */
function withConformance(file: DevFile): DevFile {
  const names = new Set(file.users.map((user) => user.name))
  const missing = conformanceUsers().filter((user) => !names.has(user.name))
  return {
    ...file,
    users: [...file.users, ...missing.map(newUser)],
    kmsKeyNames: [...new Set([...file.kmsKeyNames, ...conformanceKeyNames])],
    // The suite signs its forms in the older way, and expects of new buckets what AWS gave before 2023.
    legacyFormSignatures: true,
    bucketDefaults: 'classic',
  }
}

/** A user with fresh keys. */
function newUser(identity: Pick<DevUser, 'name' | 'email'> & { readonly userId?: string }): DevUser {
  return {
    userId: randomBytes(16).toString('hex'),
    ...identity,
    // The alphabet and length that client software expects of an access key id.
    accessKeyId: `BC${randomBytes(18)
      .toString('base64')
      .replaceAll(/[^A-Za-z0-9]/g, '')
      .toUpperCase()
      .padEnd(18, 'X')
      .slice(0, 18)}`,
    secretAccessKey: randomBytes(30).toString('base64').replaceAll('+', 'p').replaceAll('/', 's'),
  }
}

/** A folder with somebody else's files in it is not a place to found a federation, nor to delete one. */
export function refuseForeignFolder(layout: Layout): void {
  if (!existsSync(layout.root) || existsSync(layout.devFile)) return
  const entries = readdirSync(layout.root).filter((name) => name !== basename(layout.lockFile))
  if (entries.length > 0) {
    throw new Error(
      `${layout.root} holds other files (${entries.slice(0, 3).join(', ')}): choose another --data-dir`,
    )
  }
}

/** Throws, naming the port and what it is for, when a port of the federation is taken. */
export async function refuseTakenPorts(file: DevFile): Promise<void> {
  const members = [
    ['dht', file.ports.dht],
    ['gw-1', file.ports.gateway],
    ['auditor-1', file.ports.auditor],
    ...Object.entries(file.ports.nodes),
  ] as const
  if (!(await isPortFree(file.ports.s3))) {
    throw new Error(
      `port ${file.ports.s3} (S3) is in use: end the program that has it, or add --port <number>`,
    )
  }
  for (const [id, ports] of members) {
    for (const number of [ports.listen, ports.admin]) {
      if (!(await isPortFree(number))) throw new Error(`port ${number} (${id}) is in use by another program`)
    }
  }
}
