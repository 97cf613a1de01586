/** Hyperswarm connections between test members, over a private DHT on loopback. */

import { createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import HyperDHT from 'hyperdht'
import Hyperswarm, { type PeerDiscovery } from 'hyperswarm'
import type { JournalConnections } from '../../../node/io/auditor-channel.ts'

const topic = createHash('sha256').update('journal tests').digest()
const host = '127.0.0.1'

export class TestSwarms {
  /** A bootstrap node, and a persistent node that keeps announcements. */
  readonly #seeds: readonly HyperDHT[]
  readonly #swarms: { swarm: Hyperswarm; discovery: PeerDiscovery }[] = []

  private constructor(seeds: readonly HyperDHT[]) {
    this.#seeds = seeds
  }

  static async start(): Promise<TestSwarms> {
    const port = await freeUdpPort()
    const bootstrapper = HyperDHT.bootstrapper(port, host, { host })
    await bootstrapper.ready()
    const persistent = new HyperDHT({
      bootstrap: [{ host, port }],
      host,
      firewalled: false,
      ephemeral: false,
    })
    await persistent.ready()
    return new TestSwarms([bootstrapper, persistent])
  }

  /** A member that finds all others. */
  async join(name: string): Promise<JournalConnections> {
    const bootstrap = [{ host, port: this.#seeds[0]?.address().port ?? 0 }]
    const dht = new HyperDHT({ bootstrap, host, firewalled: false, ephemeral: false })
    const seed = createHash('sha256').update(name).digest()
    const keyPair = (
      HyperDHT as unknown as { keyPair(seed: Buffer): { publicKey: Buffer; secretKey: Buffer } }
    ).keyPair(seed)
    const swarm = new Hyperswarm({ keyPair, dht, firewall: () => false })
    const open = new Set<Duplex>()
    const runs: ((stream: Duplex, peer: { nodeId: string }) => void)[] = []
    swarm.on('connection', (stream) => {
      open.add(stream)
      // Every connection ends with one; 'close' follows.
      stream.on('error', () => undefined)
      stream.on('close', () => open.delete(stream))
      for (const run of runs) run(stream, { nodeId: stream.remotePublicKey.toString('hex') })
    })
    const discovery = swarm.join(topic, { server: true, client: true })
    this.#swarms.push({ swarm, discovery })
    await discovery.refresh()
    return {
      onConnection: (run) => {
        runs.push(run)
        for (const stream of open) run(stream, { nodeId: '' })
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // First everybody leaves, while those that they must tell are there. Forcing instead would leave timers behind.
    await Promise.all(this.#swarms.map(({ discovery }) => discovery.destroy()))
    await Promise.all(this.#swarms.map(({ swarm }) => swarm.destroy()))
    for (const seed of [...this.#seeds].reverse()) await seed.destroy({ force: true })
  }
}

/** A bootstrap node wants to know its port beforehand. */
async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4')
  socket.bind(0, host)
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  await once(socket, 'close')
  return port
}
