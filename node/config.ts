/**
 * Configuration of a node, an auditor and a DHT process: one JSON file each, read at start, checked as a whole.
 *
 * Paths are absolute or relative to the file. Secrets are never in it, only paths of files that hold them.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'

const address = z.object({ host: z.string().default('127.0.0.1'), port: z.number().int().min(0).max(65_535) })

/** What every member process needs to find and to be found. */
const memberShape = {
  /** As in the registry. */
  nodeId: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  /** Everything the process keeps: keys, rows, shards, journals. */
  dataDir: z.string(),
  /** The federation's founding document. */
  genesis: z.string(),
  /** Where peers connect (mutual TLS). */
  listen: address,
  /** What peers are told when that is not the address to dial (0.0.0.0, address translation). */
  advertiseHost: z.string().optional(),
  /** Metrics, health and status; plain HTTP, for the operator's own network. */
  admin: address,
  /** Bootstrap nodes of the federation's own DHT, `host:port`. */
  /** Where peers were when this was written; discovery corrects it. */
  addressHints: z.record(z.string(), z.object({ host: z.string(), port: z.number().int() })).default({}),
  dht: z.array(z.string().regex(/^[^:]+:\d+$/)),
}

const nodeSchema = z.object({
  ...memberShape,
  /** A holder that is down longer than this is replaced. */
  repairDelayMs: z.number().int().min(0).default(600_000),
  /** Age from which sealed shards that no row refers to are collected. */
  gcGraceMs: z.number().int().min(0).default(3_600_000),
  /** How long the shards of an overwritten or deleted version stay readable for readers under way. */
  garbageDelayMs: z.number().int().min(0).default(300_000),
  /** Length of a day for lifecycle rules. Anything but 86,400 is for tests: rules that count days then act within minutes. */
  lifecycleDaySeconds: z.number().int().min(1).max(86_400).default(86_400),
  /** File with the owner's journal encryption key (32 bytes, hex); absent on operators that must not read journals. */
  journalKeyFile: z.string().optional(),
})

const auditorSchema = z.object({ ...memberShape, journalKeyFile: z.string().optional() })
const dhtSchema = z.object({ listen: address, admin: address })

export type NodeConfig = z.infer<typeof nodeSchema>
export type AuditorConfig = z.infer<typeof auditorSchema>
export type DhtConfig = z.infer<typeof dhtSchema>

/** Reads and checks a node's file; throws one Error naming the file and every bad field. */
export function readNodeConfig(file: string): NodeConfig {
  return readConfig(file, nodeSchema, ['dataDir', 'genesis', 'journalKeyFile'])
}

export function readAuditorConfig(file: string): AuditorConfig {
  return readConfig(file, auditorSchema, ['dataDir', 'genesis', 'journalKeyFile'])
}

export function readDhtConfig(file: string): DhtConfig {
  return readConfig(file, dhtSchema, [])
}

/** Parses `file` with `schema`; `paths` names the fields that are resolved against the file's folder. */
export function readConfig<T extends z.ZodType>(
  file: string,
  schema: T,
  paths: readonly string[],
): z.infer<T> {
  let raw: unknown
  try {
    raw = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new Error(`cannot read configuration ${file}: ${String(cause)}`, { cause })
  }
  const parsed = schema.safeParse(raw)
  if (!parsed.success) throw new Error(`bad configuration ${file}:\n${z.prettifyError(parsed.error)}`)
  const value = parsed.data as Record<string, unknown>
  for (const name of paths) {
    const path = value[name]
    if (typeof path === 'string') value[name] = resolve(dirname(file), path)
  }
  return value as z.infer<T>
}

export { address as addressSchema, memberShape }
