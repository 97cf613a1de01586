/**
 * Transports on loopback for tests: one map, one address book, an endpoint per node.
 */
import type { MapNode, NodeRole } from '../../node/core/cluster-map.ts'
import type { Address } from '../../node/io/channel.ts'
import { generateKeyPair, type KeyPair } from '../../node/io/identity.ts'
import { TlsTransport, type TransportObserver } from '../../node/io/tls-transport.ts'
import type { Handlers } from '../../node/protocol/messages.ts'
import { createFunnel } from '../../node/services/funnel.ts'

const allRoles: readonly NodeRole[] = ['catalog', 'shard', 'witness', 'gateway']

/** A node of the map with this key; `changes` replace fields. */
export function mapNode(nodeId: string, keyPair: KeyPair, changes: Partial<MapNode> = {}): MapNode {
  return {
    nodeId,
    operatorId: 'by',
    site: 'muc',
    roles: allRoles,
    publicKey: keyPair.publicKey,
    journalKey: keyPair.publicKey,
    capacityBytes: 1,
    state: 'active',
    ...changes,
  }
}

/** A federation on loopback whose map and addresses a test changes at will. */
export class TlsWorld {
  readonly nodes = new Map<string, MapNode>()
  readonly addresses = new Map<string, Address>()
  readonly transports = new Map<string, TlsTransport>()

  /** Admits `nodeId`, starts its transport and tells everyone. */
  async start(
    nodeId: string,
    options: {
      handlers?: Handlers
      observer?: TransportObserver
      admit?: boolean
      bulkConnections?: number
      connectionBytes?: number
      directRead?: boolean
      changes?: Partial<MapNode>
      keyPair?: KeyPair
    } = {},
  ): Promise<TlsTransport> {
    const keyPair = options.keyPair ?? generateKeyPair()
    if (options.admit !== false) this.nodes.set(nodeId, mapNode(nodeId, keyPair, options.changes))
    const transport = new TlsTransport({
      nodeId,
      keyPair,
      admitted: (publicKey) => [...this.nodes.values()].find((node) => node.publicKey === publicKey),
      nodeOf: (id) => this.nodes.get(id),
      addressOf: (id) => this.addresses.get(id),
      serve: createFunnel({ handlers: options.handlers ?? {}, epoch: () => 7 }),
      epoch: () => 7,
      ...(options.observer && { observer: options.observer }),
      ...(options.directRead !== undefined && { directRead: options.directRead }),
      ...(options.connectionBytes && { connectionBytes: options.connectionBytes }),
      ...(options.bulkConnections && { bulkConnections: options.bulkConnections }),
    })
    this.addresses.set(nodeId, await transport.listen({ host: '127.0.0.1', port: 0 }))
    this.transports.set(nodeId, transport)
    this.mapChanged()
    return transport
  }

  mapChanged(): void {
    for (const transport of this.transports.values()) {
      transport.watch(this.nodes.keys())
      transport.mapChanged()
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.transports.values()].map((transport) => transport.close()))
  }
}

/** Polls until `reached` says so; fails after `deadlineMs`. */
export async function eventually(
  what: string,
  reached: () => boolean | Promise<boolean>,
  deadlineMs = 10_000,
): Promise<void> {
  const endMs = performance.now() + deadlineMs
  while (!(await reached())) {
    if (performance.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
