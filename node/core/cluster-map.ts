/**
 * The cluster map: what the registry says about operators, sites, nodes, pools and groups at one epoch.
 *
 * Plain data, replaced as a whole when the epoch rises. Liveness is not in it: every process sees that for itself.
 */

export type NodeRole = 'catalog' | 'shard' | 'witness' | 'gateway' | 'auditor'

/** The authority that runs nodes; its Ed25519 public key (raw, 32 bytes, hex) signs statements. */
export interface Operator {
  readonly operatorId: string
  readonly name: string
  readonly publicKey: string
}

/** An admitted process. Keys are raw Ed25519 public keys in hex. */
export interface MapNode {
  readonly nodeId: string
  readonly operatorId: string
  readonly site: string
  readonly roles: readonly NodeRole[]
  /** TLS and Noise identity. */
  readonly publicKey: string
  /** Signs journal heads; a key of its own, so that a TLS key can be rotated alone. */
  readonly journalKey: string
  /** Placement weight: bytes of capacity, relative. */
  readonly capacityBytes: number
  readonly state: 'active' | 'draining' | 'suspended'
}

/** How the objects of a bucket are cut and where they may lie. */
export interface Pool {
  readonly poolId: string
  /** Name of the code as in wasm/codec.ts, written into every shard header. */
  readonly code: string
  readonly dataShards: number
  readonly parityShards: number
  /** Largest cell; the cells of the last stripe are shorter. Bytes, a multiple of the code's block. */
  readonly cellBytes: number
  /** Sites that may hold shards; empty: all. */
  readonly sites: readonly string[]
}

/** A Raft group: `registry` or a catalog group. */
export interface MapGroup {
  readonly groupId: string
  readonly kind: 'registry' | 'catalog'
  readonly members: readonly { readonly nodeId: string; readonly learner: boolean }[]
}

export interface ClusterMap {
  readonly federationId: string
  /** Rises with every change; a process never goes back to a smaller one. */
  readonly epoch: number
  readonly operators: readonly Operator[]
  readonly nodes: readonly MapNode[]
  readonly pools: readonly Pool[]
  readonly groups: readonly MapGroup[]
  /** Catalog group of each hash slot; `slotOf(bucketId, key)` indexes it. Its length never changes. */
  readonly slots: readonly string[]
}
