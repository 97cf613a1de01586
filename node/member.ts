/**
 * A member of the federation: the identity, map, network and admin server that nodes, gateways and auditors share.
 */
import { readFileSync } from 'node:fs'
import { Registry } from 'prom-client'
import type { ClusterMap, MapNode } from './core/cluster-map.ts'
import type { Genesis } from './core/registry-types.ts'
import { loadOrCreateProcessKeys } from './io/identity.ts'
import type { Logger } from './io/process-life.ts'
import { TlsTransport } from './io/tls-transport.ts'
import type { Handlers } from './protocol/messages.ts'
import { createFunnel } from './services/funnel.ts'

export interface MemberConfig {
  readonly nodeId: string
  readonly dataDir: string
  readonly genesis: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly admin: { readonly host: string; readonly port: number }
  readonly dht: readonly string[]
  readonly addressHints?: Readonly<Record<string, { host: string; port: number }>>
}

export interface Member {
  readonly genesis: Genesis
  readonly transport: TlsTransport
  readonly metrics: Registry
  map(): ClusterMap
  serve(handlers: Handlers): Promise<Record<string, unknown>>
  close(): Promise<void>
}

export async function openMember(config: MemberConfig, _logger: Logger): Promise<Member> {
  const genesis = JSON.parse(readFileSync(config.genesis, 'utf8')) as Genesis
  const { map } = genesis
  const keys = await loadOrCreateProcessKeys(config.dataDir)
  const byKey = new Map(map.nodes.map((node) => [node.publicKey, node]))
  const byId = new Map<string, MapNode>(map.nodes.map((node) => [node.nodeId, node]))
  let serve: ReturnType<typeof createFunnel> | undefined
  const transport = new TlsTransport({
    nodeId: config.nodeId,
    keyPair: keys.node,
    admitted: (publicKey) => byKey.get(publicKey),
    nodeOf: (nodeId) => byId.get(nodeId),
    addressOf: (nodeId) => config.addressHints?.[nodeId],
    serve: (inbound) => {
      if (serve === undefined) throw new Error('not serving yet')
      return serve(inbound)
    },
    epoch: () => map.epoch,
  })
  return {
    genesis,
    transport,
    metrics: new Registry(),
    map: () => map,
    async serve(handlers) {
      serve = createFunnel({ handlers, epoch: () => map.epoch })
      const listen = await transport.listen(config.listen)
      transport.watch(map.nodes.map((node) => node.nodeId))
      return { listen }
    },
    close: () => transport.close(),
  }
}
