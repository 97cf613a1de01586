/**
 * `bundescloud status`: asks every process of a local federation for its /status and sums up.
 *
 * Read-only. A process that does not answer is shown as down, never left out.
 */
import { z } from 'zod'
import { type FederationFile, readFederationFile } from '../dev/federation-file.ts'
import type { Layout } from '../dev/layout.ts'

export const statusLimits = {
  /** A process that needs longer is as good as down for the person who asks. */
  answerTimeoutMs: 3_000,
} as const

/** What an admin server says under /status; fields that a process does not have are absent. */
const processSchema = z.looseObject({
  nodeId: z.string(),
  groups: z
    .array(z.looseObject({ groupId: z.string(), role: z.string(), leaderId: z.string().nullish() }))
    .default([]),
  shards: z.looseObject({ count: z.number(), bytes: z.number(), freeBytes: z.number() }).optional(),
  peers: z
    .array(z.looseObject({ nodeId: z.string(), up: z.boolean(), rttMs: z.number().nullish() }))
    .default([]),
  /** Blobs by number of missing shards, as counted by the groups that this node leads. */
  degraded: z.record(z.string(), z.number()).default({}),
})

export type ProcessStatus = z.infer<typeof processSchema>

export interface NodeStatus {
  readonly id: string
  readonly operator: string
  readonly site: string
  readonly pid: number
  readonly up: boolean
  readonly shards: number
  readonly shardBytes: number
  readonly freeBytes: number
  /** Groups that it leads. */
  readonly leads: readonly string[]
}

export interface FederationStatus {
  readonly endpoint: string
  readonly gateway: { readonly up: boolean }
  readonly nodes: readonly NodeStatus[]
  readonly sites: readonly { readonly site: string; readonly nodes: number; readonly up: number }[]
  /** groupId -> nodeId of the leader, or null while there is none. */
  readonly leaders: Readonly<Record<string, string | null>>
  readonly capacity: { readonly usedBytes: number; readonly freeBytes: number }
  /** Blobs with fewer shards than they should have, by number of missing ones. */
  readonly degraded: Readonly<Record<string, number>>
}

export async function showStatus(layout: Layout, options: { json: boolean }): Promise<void> {
  const status = await collectStatus(readFederationFile(layout))
  process.stdout.write(options.json ? `${JSON.stringify(status, null, 2)}\n` : renderStatus(status))
}

/** /status of one admin server, or undefined when it does not answer with one. */
export async function fetchStatus(adminUrl: string): Promise<ProcessStatus | undefined> {
  try {
    const response = await fetch(`${adminUrl}/status`, {
      signal: AbortSignal.timeout(statusLimits.answerTimeoutMs),
    })
    return processSchema.safeParse(await response.json()).data
  } catch {
    // Down, or not answering in time: both are shown as down.
    return undefined
  }
}

export async function collectStatus(file: FederationFile): Promise<FederationStatus> {
  const [gateway, ...answers] = await Promise.all(
    [file.gateway, ...file.nodes].map((member) => fetchStatus(member.adminUrl)),
  )
  const nodes = file.nodes.map((node, index): NodeStatus => nodeStatus(node, answers[index]))
  return {
    endpoint: file.endpoint,
    gateway: { up: gateway !== undefined },
    nodes,
    sites: [...new Set(nodes.map((node) => node.site))].map((site) => {
      const members = nodes.filter((node) => node.site === site)
      return { site, nodes: members.length, up: members.filter((node) => node.up).length }
    }),
    leaders: leadersOf(answers),
    capacity: {
      usedBytes: nodes.reduce((sum, node) => sum + node.shardBytes, 0),
      freeBytes: nodes.reduce((sum, node) => sum + node.freeBytes, 0),
    },
    degraded: sumDegraded(answers),
  }
}

function nodeStatus(node: FederationFile['nodes'][number], answer: ProcessStatus | undefined): NodeStatus {
  return {
    id: node.id,
    operator: node.operator,
    site: node.site,
    pid: node.pid,
    up: answer !== undefined,
    shards: answer?.shards?.count ?? 0,
    shardBytes: answer?.shards?.bytes ?? 0,
    freeBytes: answer?.shards?.freeBytes ?? 0,
    leads: (answer?.groups ?? []).filter((group) => group.role === 'leader').map((group) => group.groupId),
  }
}

/** The leader of each group as its members say; one that claims the role itself wins over hearsay. */
function leadersOf(answers: readonly (ProcessStatus | undefined)[]): Record<string, string | null> {
  const leaders: Record<string, string | null> = {}
  const living = answers.filter((answer) => answer !== undefined)
  for (const { groups } of living) for (const { groupId } of groups) leaders[groupId] ??= null
  for (const { nodeId, groups } of living) {
    for (const { groupId, role } of groups) if (role === 'leader') leaders[groupId] = nodeId
  }
  return Object.fromEntries(Object.entries(leaders).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function sumDegraded(answers: readonly (ProcessStatus | undefined)[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const answer of answers) {
    for (const [missing, count] of Object.entries(answer?.degraded ?? {})) {
      sums[missing] = (sums[missing] ?? 0) + count
    }
  }
  return sums
}

/** For people: one line per node, then leaders, capacity and what is degraded. */
export function renderStatus(status: FederationStatus): string {
  const rows = status.nodes.map((node) => [
    node.site,
    node.id,
    node.up ? 'up' : 'DOWN',
    String(node.shards),
    bytesText(node.shardBytes),
    node.up ? bytesText(node.freeBytes) : '-',
    node.leads.join(' ') || '-',
  ])
  const degraded = Object.entries(status.degraded).filter(([missing, count]) => missing !== '0' && count > 0)
  return [
    `gateway ${status.endpoint} ${status.gateway.up ? 'up' : 'DOWN'}`,
    '',
    ...table([['SITE', 'NODE', 'STATE', 'SHARDS', 'USED', 'FREE', 'LEADS'], ...rows]),
    '',
    ...Object.entries(status.leaders).map(([groupId, leader]) => `${groupId}: ${leader ?? 'NO LEADER'}`),
    '',
    degraded.length === 0
      ? 'no degraded objects'
      : degraded
          .map(([missing, count]) => `${count} degraded objects: ${missing} shard(s) missing`)
          .join('\n'),
    '',
  ].join('\n')
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** Bytes for people, in powers of ten: `1.5 GB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let unit = 0
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`
}
