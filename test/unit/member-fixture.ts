/**
 * Members of one federation on a DHT of its own, on loopback: swarm, address book and member service of each.
 */
import { createSocket } from 'node:dgram'
import type { MapNode } from '../../node/core/cluster-map.ts'
import { type DhtSeed, startDhtSeed } from '../../node/io/dht.ts'
import { ed25519Verify, generateKeyPair, type KeyPair } from '../../node/io/identity.ts'
import { Swarm } from '../../node/io/swarm.ts'
import { AddressBook } from '../../node/services/address-book.ts'
import { MemberService } from '../../node/services/member-service.ts'
import type { Clock } from '../../node/world.ts'
import { mapNode } from './tls-world.ts'

export const realClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}

export interface TestMember {
  readonly nodeId: string
  readonly keyPair: KeyPair
  readonly swarm: Swarm
  readonly book: AddressBook
  readonly service: MemberService
}

export const federationId = 'test-federation'

export class MemberWorld {
  readonly nodes = new Map<string, MapNode>()
  readonly members = new Map<string, TestMember>()
  #seed: Promise<DhtSeed> | undefined

  seed(): Promise<DhtSeed> {
    this.#seed ??= freeUdpPort().then((port) => startDhtSeed({ listen: { host: '127.0.0.1', port } }))
    return this.#seed
  }

  async start(nodeId: string, options: { admit?: boolean } = {}): Promise<TestMember> {
    const keyPair = generateKeyPair()
    if (options.admit !== false) this.nodes.set(nodeId, mapNode(nodeId, keyPair))
    const { address } = await this.seed()
    const admitted = (key: string) => [...this.nodes.values()].find((node) => node.publicKey === key)
    const swarm = new Swarm({ federationId, keyPair, bootstrap: [address], host: '127.0.0.1', admitted })
    const book = new AddressBook({
      federationId,
      nodeId,
      sign: keyPair.sign,
      verify: ed25519Verify,
      nodeOf: (id) => this.nodes.get(id),
    })
    const service = new MemberService({
      links: swarm,
      book,
      clock: realClock,
      wanted: () => [...this.nodes.keys()].filter((id) => id !== nodeId),
    })
    const member = { nodeId, keyPair, swarm, book, service }
    this.members.set(nodeId, member)
    book.announce({ host: '127.0.0.1', port: 1_000 + this.members.size }, Date.now())
    service.start()
    return member
  }

  async close(): Promise<void> {
    for (const { service } of this.members.values()) service.stop()
    await Promise.all([...this.members.values()].map(({ swarm }) => swarm.close()))
    const seed = await this.#seed
    await seed?.close()
  }
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  const { port } = socket.address()
  await new Promise<void>((resolve) => socket.close(resolve))
  return port
}
