/**
 * The seeds of the federation's own DHT: a bootstrap node at a fixed address and a persistent node beside it.
 *
 * Invariant: nothing of it knows a node outside of the federation's network: it has no other seeds than itself and
 * those that are given. Announcements are kept by persistent nodes; the bootstrap node alone is not enough for the
 * first members (dht-rpc stores at nodes that it found in a table, and a table never holds its owner).
 */
import { createSocket } from 'node:dgram'
import HyperDHT from 'hyperdht'
import type { Address } from './channel.ts'

export interface DhtSeedOptions {
  /** IPv4 address and UDP port that members know; the port must be free. */
  readonly listen: Address
}

export interface DhtSeed {
  readonly address: Address
  /** Nodes in the routing table. */
  nodes(): number
  close(): Promise<void>
}

/** Starts both; resolves when they answer. Rejects when the port is taken. */
export async function startDhtSeed(options: DhtSeedOptions): Promise<DhtSeed> {
  const { host, port } = options.listen
  await assertFree(options.listen)
  const bootstrapper = HyperDHT.bootstrapper(port, host, { host })
  await bootstrapper.ready()
  const persistent = new HyperDHT({
    bootstrap: [{ host, port }],
    host,
    firewalled: false,
    ephemeral: false,
  })
  await persistent.ready()
  return {
    address: { host, port: bootstrapper.address().port },
    nodes: () => bootstrapper.toArray().length,
    close: async () => {
      await persistent.destroy({ force: true })
      await bootstrapper.destroy({ force: true })
    },
  }
}

/** Asked with a plain socket first: a DHT node that cannot bind leaves a native handle that keeps the process alive. */
async function assertFree({ host, port }: Address): Promise<void> {
  const probe = createSocket('udp4')
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once('error', reject)
      probe.bind({ address: host, port, exclusive: true }, resolve)
    })
  } catch (cause) {
    throw new Error(`the DHT cannot listen at UDP ${host}:${port}`, { cause })
  } finally {
    await new Promise<void>((resolve) => probe.close(() => resolve()))
  }
}
