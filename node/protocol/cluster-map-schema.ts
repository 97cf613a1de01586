/**
 * Reads a cluster map from the network or from a file: everything is checked, nothing is trusted.
 *
 * Unknown fields are kept, so that a map of a newer version survives an older process' cache.
 */
import { z } from 'zod'
import type { ClusterMap } from '../core/cluster-map.ts'

const key = z.string().regex(/^[0-9a-f]{64}$/)
const id = z.string().min(1).max(128)

const mapSchema = z.looseObject({
  federationId: id,
  epoch: z.number().int().min(0),
  operators: z.array(z.looseObject({ operatorId: id, name: z.string(), publicKey: key })),
  nodes: z.array(
    z.looseObject({
      nodeId: id,
      operatorId: id,
      site: id,
      roles: z.array(z.string()),
      publicKey: key,
      journalKey: z.string(),
      capacityBytes: z.number().min(0),
      state: z.enum(['active', 'draining', 'suspended']),
    }),
  ),
  pools: z.array(
    z.looseObject({
      poolId: id,
      code: z.string(),
      dataShards: z.number().int().min(1),
      parityShards: z.number().int().min(1),
      cellBytes: z.number().int().min(1),
      sites: z.array(id),
    }),
  ),
  groups: z.array(
    z.looseObject({
      groupId: id,
      kind: z.enum(['registry', 'catalog']),
      members: z.array(z.looseObject({ nodeId: id, learner: z.boolean() })),
    }),
  ),
  slots: z.array(z.string()),
})

/** The map, or undefined when `value` is none. */
export function parseClusterMap(value: unknown): ClusterMap | undefined {
  const parsed = mapSchema.safeParse(value)
  // Roles and pools of a newer version may have values that this one does not know; they are looked at by name.
  return parsed.success ? (parsed.data as unknown as ClusterMap) : undefined
}
