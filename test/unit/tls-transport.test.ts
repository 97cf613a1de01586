import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { afterEach, test } from 'node:test'
import { connect, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import type { ClusterError } from '../../node/errors.ts'
import { serverChannelLimits } from '../../node/io/channel-server.ts'
import { readInto } from '../../node/io/direct-read.ts'
import { generateKeyPair, type KeyPair } from '../../node/io/identity.ts'
import { protocolName, TlsContext } from '../../node/io/tls-context.ts'
import { peerLimits } from '../../node/io/tls-peer.ts'
import type { TlsTransport } from '../../node/io/tls-transport.ts'
import { encodeFrame, frameLimits } from '../../node/protocol/frame.ts'
import { type Handlers, messages } from '../../node/protocol/messages.ts'
import { eventually, mapNode, TlsWorld } from './tls-world.ts'

let world = new TlsWorld()
const cleanups: (() => void)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0)) clean()
  await world.close()
  world = new TlsWorld()
})

const ask = { groupId: 'g', query: { kind: 'nothing' } as never }
const read = { blobId: 'b', shardIndex: 0, generation: 1, firstCell: 0, cellCount: 1 }
const write = { header: {} as never, firstCell: 0, cellCount: 1, seal: false }

const echo: Handlers = {
  'catalog-query': async (request) => ({ reply: { answer: request } }),
}

/** A handler that does not answer. */
function never(): Promise<never> {
  return Promise.withResolvers<never>().promise
}

function rejectsWith(code: string) {
  return (error: ClusterError) => {
    assert.equal(error.code, code, error.message)
    return true
  }
}

/** A TLS client with this key that speaks bytes, not messages. */
async function rawClient(to: string, keyPair: KeyPair, connection: 'control' | 'bulk' = 'control') {
  const address = world.addresses.get(to)
  assert.ok(address)
  const socket = connect({
    ...new TlsContext(keyPair, 'raw').clientOptions(connection),
    host: address.host,
    port: address.port,
  })
  socket.on('error', () => socket.destroy())
  cleanups.push(() => socket.destroy())
  await new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('close', () => reject(new Error('closed in the handshake')))
  })
  return socket
}

function closedBy(socket: TLSSocket): Promise<void> {
  socket.resume()
  return eventually('the server closes the connection', () => socket.destroyed)
}

for (const directRead of [true, false]) {
  test(`bodies of every size arrive whole, ${directRead ? 'read directly' : "read by 'data' events"}`, async () => {
    await world.start('b', {
      directRead,
      handlers: {
        'write-shard': async (_request, { body, release }) => {
          const sum = createHash('sha256')
            .update(body ?? '')
            .digest('hex')
          release?.()
          return { reply: { sealed: true, sum } as never }
        },
      },
    })
    const a = await world.start('a')
    const sizes = [1, 100, 16_384, 16_385, 65_536, 1_048_584, frameLimits.bodyBytes.bulk]
    const calls = Array.from({ length: 6 }, () => sizes).flat()
    await Promise.all(
      calls.map(async (size) => {
        const body = [randomBytes(size)]
        const { reply } = await a.call('b', 'write-shard', write, { body })
        assert.equal(
          Object(reply).sum,
          createHash('sha256')
            .update(body[0] ?? '')
            .digest('hex'),
        )
      }),
    )
  })
}

test('the pinned runtime can read accepted connections directly', async () => {
  const context = new TlsContext(generateKeyPair(), 'b')
  let direct: boolean | undefined
  let got = ''
  const scratch = Buffer.alloc(16)
  const server = createTlsServer(context.serverOptions(), (socket) => {
    socket.on('error', () => socket.destroy())
    direct = readInto(socket, {
      buffer: () => scratch,
      read: (count) => {
        got += scratch.toString('latin1', 0, count)
        return true
      },
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  assert.ok(bound && typeof bound === 'object')
  const socket = connect({ ...context.clientOptions('bulk'), host: '127.0.0.1', port: bound.port })
  cleanups.push(() => {
    socket.destroy()
    server.close()
  })
  socket.on('error', () => socket.destroy())
  socket.on('secureConnect', () => socket.write('a text that is longer than the buffer'))
  await eventually('it arrives', () => got.length === 37)
  assert.equal(got, 'a text that is longer than the buffer')
  assert.equal(direct, true)
})

test('a call carries its request, its body and its answer, with TLS 1.3 and AES-GCM', async () => {
  await world.start('b', {
    handlers: {
      'write-shard': async (request, context) => {
        assert.equal(context.from, 'a')
        assert.equal(context.timeoutMs, 20_000)
        assert.deepEqual(context.body, Buffer.concat([Buffer.alloc(70_000, 1), Buffer.alloc(3, 2)]))
        return { reply: { sealed: request.seal } }
      },
      'read-shard': async () => ({
        reply: { cellCount: 9 },
        body: [Buffer.alloc(100_000, 3), Buffer.alloc(5, 4)],
      }),
    },
  })
  const a = await world.start('a')
  const written = await a.call('b', 'write-shard', write, {
    body: [Buffer.alloc(70_000, 1), Buffer.alloc(3, 2)],
  })
  assert.deepEqual(written.reply, { sealed: false })
  assert.equal(written.body, undefined)
  const answer = await a.call('b', 'read-shard', read)
  assert.deepEqual(answer.reply, { cellCount: 9 })
  assert.deepEqual(answer.body, Buffer.concat([Buffer.alloc(100_000, 3), Buffer.alloc(5, 4)]))

  const key = generateKeyPair()
  world.nodes.set('raw', mapNode('raw', key))
  const socket = await rawClient('b', key)
  assert.equal(socket.getProtocol(), 'TLSv1.3')
  assert.equal(socket.getCipher().standardName, 'TLS_AES_256_GCM_SHA384')
  // Hybrid post-quantum key agreement: the pinned runtime has OpenSSL 3.5.
  assert.equal(Object(socket.getEphemeralKeyInfo()).name, 'X25519MLKEM768')
})

test('the body of a reply belongs to its sender again once it is sent', async () => {
  let sent = 0
  await world.start('b', {
    handlers: {
      'read-shard': async () => ({
        reply: { cellCount: 1 },
        body: [Buffer.alloc(1_000_000, 7)],
        sent: () => sent++,
      }),
    },
  })
  const a = await world.start('a')
  await Promise.all(Array.from({ length: 5 }, () => a.call('b', 'read-shard', read)))
  await eventually('all are sent', () => sent === 5)
})

test('thousands of concurrent calls are all answered, each with its own answer', async () => {
  await world.start('b', { handlers: echo })
  const a = await world.start('a')
  const count = 5_000
  const answers = await Promise.all(
    Array.from({ length: count }, (_, i) =>
      a.call('b', 'catalog-query', { ...ask, groupId: String(i) }).catch((error: ClusterError) => error.code),
    ),
  )
  let answered = 0
  for (const [i, answer] of answers.entries()) {
    if (typeof answer === 'string') assert.equal(answer, 'Overloaded')
    else {
      assert.equal(Object(answer.reply.answer).groupId, String(i))
      answered++
    }
  }
  assert.ok(answered >= serverChannelLimits.openRequests.control, `only ${answered} answered`)
})

test('operating errors travel with code and details, everything else becomes Internal without its message', async () => {
  const { ClusterError } = await import('../../node/errors.ts')
  await world.start('b', {
    handlers: {
      'catalog-query': async () => {
        throw new ClusterError('NotLeader', 'ask c', { details: { leader: 'c' } })
      },
      'registry-query': async () => {
        throw new Error('secret path')
      },
    },
  })
  const a = await world.start('a')
  await assert.rejects(a.call('b', 'catalog-query', ask), (error: ClusterError) => {
    assert.equal(error.code, 'NotLeader')
    assert.equal(error.retryable, true)
    assert.deepEqual(error.details, { leader: 'c' })
    return true
  })
  await assert.rejects(
    a.call('b', 'registry-query', { query: { kind: 'users' }, linearizable: false }),
    (error: ClusterError) => {
      assert.equal(error.code, 'Internal')
      assert.ok(!error.message.includes('secret'))
      return true
    },
  )
})

test('a node that is not in the map gets no message through, and nobody answers it', async () => {
  const refused: string[] = []
  let served = 0
  await world.start('b', {
    handlers: {
      'catalog-query': async () => {
        served++
        return { reply: { answer: 1 } }
      },
    },
    observer: { refused: (reason) => refused.push(reason) },
  })
  const stranger = await world.start('x', { admit: false })
  await assert.rejects(stranger.call('b', 'catalog-query', ask), rejectsWith('PeerUnreachable'))

  const socket = await rawClient('b', generateKeyPair())
  socket.write(
    encodeFrame({ kind: 'request', messageId: 6, requestId: 1, deadlineMs: 0 }, ask, {
      bodyBytes: 0,
      connection: 'control',
    }),
  )
  await closedBy(socket)
  assert.equal(served, 0)
  assert.ok(refused.includes('unadmitted'))
})

test('whoever listens at a peer address with another key is not spoken to', async () => {
  await world.start('b', { handlers: echo })
  await world.start('evil', { handlers: echo })
  const evil = world.addresses.get('evil')
  assert.ok(evil)
  world.addresses.set('b', evil)
  const a = await world.start('a')
  await assert.rejects(a.call('b', 'catalog-query', ask), rejectsWith('PeerUnreachable'))
  assert.equal(a.isUp('b'), false)
})

test('revocation ends live connections in both directions', async () => {
  const refused: string[] = []
  const b = await world.start('b', {
    handlers: echo,
    observer: { refused: (reason) => refused.push(reason) },
  })
  const a = await world.start('a', { handlers: { 'catalog-query': never } })
  await a.call('b', 'catalog-query', ask)
  await eventually('b reaches a', () => b.isUp('a'))
  const pending = assert.rejects(b.call('a', 'catalog-query', ask), rejectsWith('PeerUnreachable'))
  world.nodes.delete('a')
  b.watch(world.nodes.keys())
  b.mapChanged()
  await pending
  await eventually('a is cut off', () => !a.isUp('b'))
  await assert.rejects(a.call('b', 'catalog-query', ask), rejectsWith('PeerUnreachable'))
  assert.ok(refused.includes('revoked'))
})

test('a node that is admitted later is reached without a restart', async () => {
  const key = generateKeyPair()
  const b = await world.start('b', { handlers: echo })
  const a = await world.start('a', { admit: false, keyPair: key })
  await assert.rejects(a.call('b', 'catalog-query', ask), rejectsWith('PeerUnreachable'))
  world.nodes.set('a', mapNode('a', key))
  world.mapChanged()
  await eventually('both see each other', () => a.isUp('b') && b.isUp('a'))
  await a.call('b', 'catalog-query', ask)
})

test('garbage and oversized frames end the connection and nothing else', async () => {
  const refused: string[] = []
  await world.start('b', { handlers: echo, observer: { refused: (reason) => refused.push(reason) } })
  const a = await world.start('a')
  const key = generateKeyPair()
  world.nodes.set('raw', mapNode('raw', key))
  const oversized = Buffer.from([1, 1, 6, 0, 1, 0, 0, 0, 255, 255, 255, 127, 0, 0, 0, 0, 0, 0, 0, 0])
  const reply = encodeFrame({ kind: 'reply', messageId: 6, requestId: 1, deadlineMs: 0 }, ask, {
    bodyBytes: 0,
    connection: 'control',
  })
  for (const bytes of [Buffer.from('GET / HTTP/1.1\r\n\r\n'), oversized, reply]) {
    const socket = await rawClient('b', key)
    socket.write(bytes)
    await closedBy(socket)
  }
  assert.deepEqual(refused, ['malformed', 'malformed', 'malformed'])
  await a.call('b', 'catalog-query', ask)
})

test('a peer that sends no TLS, or another version of the protocol, is refused', async () => {
  const refused: string[] = []
  await world.start('b', { observer: { refused: (reason) => refused.push(reason) } })
  const address = world.addresses.get('b')
  assert.ok(address)
  const key = generateKeyPair()
  world.nodes.set('raw', mapNode('raw', key))
  const socket = connect({
    ...new TlsContext(key, 'raw').clientOptions('control'),
    ALPNProtocols: [protocolName('control').replace('/1/', '/99/')],
    host: address.host,
    port: address.port,
  })
  socket.on('error', () => socket.destroy())
  await closedBy(socket)
  await eventually('it is counted', () => refused.includes('handshake'))
})

/** Accepts connections and never says anything, like a stopped process whose kernel still works. */
async function halfOpenServer() {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const bound = server.address()
  assert.ok(bound && typeof bound === 'object')
  return { host: '127.0.0.1', port: bound.port }
}

test('a peer that accepts and never answers does not hang callers', async () => {
  const key = generateKeyPair()
  world.nodes.set('b', mapNode('b', key))
  world.addresses.set('b', await halfOpenServer())
  const a = await world.start('a')
  await assert.rejects(a.call('b', 'catalog-query', ask), rejectsWith('PeerUnreachable'))
  await assert.rejects(a.call('b', 'read-shard', read, { timeoutMs: 5 }), (error: ClusterError) =>
    ['PeerUnreachable', 'Timeout'].includes(error.code),
  )
  assert.equal(a.isUp('b'), false)
})

/** Forwards bytes to `to` until it is frozen: then it keeps connections and forwards nothing. */
async function freezableProxy(to: { host: string; port: number }, connected?: () => void) {
  const net = await import('node:net')
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    connected?.()
    const far = net.connect(to)
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on('error', () => one.destroy())
      one.on('close', () => other.destroy())
      one.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  cleanups.push(close)
  const bound = server.address()
  assert.ok(bound && typeof bound === 'object')
  return {
    address: { host: '127.0.0.1', port: bound.port },
    freeze: () => {
      for (const socket of sockets) socket.unpipe().pause()
    },
    close,
  }
}

test('a peer that falls silent is down, its open calls fail, and later calls fail at once', async () => {
  await world.start('b', { handlers: { ...echo, 'read-shard': never } })
  const address = world.addresses.get('b')
  assert.ok(address)
  const proxy = await freezableProxy(address)
  world.addresses.set('b', proxy.address)
  const changes: boolean[] = []
  const a = await world.start('a', { observer: { peerChanged: ({ up }) => changes.push(up) } })
  await a.call('b', 'catalog-query', ask)
  const open = assert.rejects(a.call('b', 'read-shard', read), rejectsWith('PeerUnreachable'))
  proxy.freeze()
  await open
  assert.equal(a.isUp('b'), false)
  assert.deepEqual(changes, [true, false])
  world.addresses.delete('b')
  await eventually('the redial ends', async () => {
    const code = await a.call('b', 'catalog-query', ask).catch((error: ClusterError) => error.code)
    return code === 'PeerUnreachable'
  })
})

test('a pause of this process is not the silence of its peers', async () => {
  await world.start('b', { handlers: echo })
  const changes: boolean[] = []
  const a = await world.start('a', { observer: { peerChanged: ({ up }) => changes.push(up) } })
  await a.call('b', 'catalog-query', ask)
  const silenceMs = peerLimits.pingIntervalMs * (peerLimits.silentPings + 1)
  // Like SIGSTOP: nothing of this process runs, then all its timers are overdue.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, silenceMs)
  await eventually('a round trip after the pause', () => a.peers()[0]?.rttMs !== undefined)
  await a.call('b', 'catalog-query', ask)
  assert.deepEqual(changes, [true])
})

test('a reset peer is down at once, and up again when it is back at a new address', async () => {
  const key = generateKeyPair()
  const first = await world.start('b', { handlers: echo, keyPair: key })
  const a = await world.start('a')
  await a.call('b', 'catalog-query', ask)
  await first.close()
  await eventually('a notices', () => !a.isUp('b'))
  await assert.rejects(a.call('b', 'catalog-query', ask), rejectsWith('PeerUnreachable'))
  await world.start('b', { handlers: echo, keyPair: key })
  await eventually('a is back', () => a.isUp('b'))
  await a.call('b', 'catalog-query', ask)
})

test('a deadline rejects with Timeout, tells the callee to stop, and the connection goes on', async () => {
  let aborted = 0
  await world.start('b', {
    handlers: {
      ...echo,
      'catalog-propose': (_request, { signal }) =>
        new Promise(() => {
          signal.addEventListener('abort', () => aborted++)
        }),
    },
  })
  const a = await world.start('a')
  const propose = { groupId: 'g', requestId: 'r', command: {} as never }
  // Connected first: the deadline below must end a call that the callee has.
  await a.call('b', 'catalog-query', ask)
  await assert.rejects(a.call('b', 'catalog-propose', propose, { timeoutMs: 20 }), rejectsWith('Timeout'))
  await eventually('the handler is told', () => aborted === 1)
  const cancel = new AbortController()
  const cancelled = assert.rejects(a.call('b', 'catalog-propose', propose, { signal: cancel.signal }), {
    message: 'no longer needed',
  })
  await a.call('b', 'catalog-query', ask)
  cancel.abort(new Error('no longer needed'))
  await cancelled
  await eventually('the handler is told again', () => aborted === 2)
  await assert.rejects(
    a.call('b', 'catalog-query', ask, { signal: AbortSignal.abort(new Error('before')) }),
    { message: 'before' },
  )
})

test('a call with a body that the peer does not read settles at its deadline and gives the body back', async () => {
  await world.start('b', { handlers: { 'write-shard': never } })
  const address = world.addresses.get('b')
  assert.ok(address)
  const proxy = await freezableProxy(address)
  world.addresses.set('b', proxy.address)
  const a = await world.start('a', { bulkConnections: 1 })
  await assert.rejects(a.call('b', 'write-shard', write, { timeoutMs: 20 }), rejectsWith('Timeout'))
  proxy.freeze()
  const body = [Buffer.alloc(frameLimits.bodyBytes.bulk)]
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, () =>
      a.call('b', 'write-shard', write, { body, timeoutMs: 300 }).catch((error: ClusterError) => error.code),
    ),
  )
  assert.ok(outcomes.includes('Timeout'), outcomes.join())
  for (const outcome of outcomes) assert.match(String(outcome), /^(Timeout|PeerUnreachable)$/)
})

test('what is under way to one peer is bounded: more is Overloaded, and there is room again afterwards', async () => {
  const waiting: (() => void)[] = []
  await world.start('b', {
    handlers: {
      ...echo,
      'write-shard': () => new Promise((resolve) => waiting.push(() => resolve({ reply: { sealed: true } }))),
    },
  })
  const a = await world.start('a')
  const body = [Buffer.alloc(4 * 1024 * 1024)]
  const fitting = Math.floor(peerLimits.bulkBytes / (4 * 1024 * 1024))
  const open = Array.from({ length: fitting }, () => a.call('b', 'write-shard', write, { body }))
  await assert.rejects(a.call('b', 'write-shard', write, { body }), rejectsWith('Overloaded'))
  await a.call('b', 'catalog-query', ask)
  let settled = 0
  for (const call of open) call.then(() => settled++)
  await eventually('all are served', () => {
    for (const answer of waiting.splice(0)) answer()
    return settled === fitting
  })
  const again = a.call('b', 'write-shard', write, { body })
  await eventually('it arrives', () => waiting.length === 1)
  waiting[0]?.()
  assert.deepEqual((await again).reply, { sealed: true })
})

test('a peer that asks and does not read its replies makes us hold a bounded number of them', async () => {
  let made = 0
  await world.start('b', {
    handlers: {
      'read-shard': async () => {
        made++
        return { reply: { cellCount: 1 }, body: [Buffer.alloc(4 * 1024 * 1024)] }
      },
    },
  })
  const key = generateKeyPair()
  world.nodes.set('raw', mapNode('raw', key))
  const socket = await rawClient('b', key, 'bulk')
  socket.pause()
  const asked = 500
  for (let i = 1; i <= asked; i++) {
    socket.write(
      encodeFrame(
        { kind: 'request', messageId: messages['read-shard'].id, requestId: i, deadlineMs: 0 },
        read,
        {
          bodyBytes: 0,
          connection: 'bulk',
        },
      ),
    )
  }
  await eventually('some are answered', () => made > 0)
  let last = -1
  await eventually('it stops', async () => {
    const before = made
    await new Promise((resolve) => setTimeout(resolve, 100))
    const still = made === before && before === last
    last = made
    return still
  })
  assert.ok(made < asked / 2, `${made} replies were made for a peer that reads none`)
})

test('one-way messages arrive in order, and are dropped when the peer is down', async () => {
  const got: string[] = []
  const dropped: string[] = []
  await world.start('b', {
    handlers: {
      raft: async ({ payload }) => {
        got.push(Buffer.from(payload).toString())
        return { reply: undefined }
      },
      'raft-bulk': async ({ payload }) => {
        got.push(`bulk ${payload.length}`)
        return { reply: undefined }
      },
    },
  })
  const a = await world.start('a', { observer: { dropped: (message) => dropped.push(message) } })
  await eventually('b is up', () => a.isUp('b'))
  for (let i = 0; i < 100; i++) a.send('b', 'raft', { payload: Buffer.from(String(i)) })
  await eventually('all arrive', () => got.length === 100)
  assert.deepEqual(
    got,
    Array.from({ length: 100 }, (_, i) => String(i)),
  )
  await eventually('a bulk one arrives', () => {
    a.send('b', 'raft-bulk', { payload: Buffer.alloc(1_000_000) })
    return got.length > 100
  })
  assert.equal(got[100], 'bulk 1000000')
  a.send('nobody', 'raft', { payload: Buffer.alloc(1) })
  assert.ok(dropped.includes('raft'))
})

test('roles are checked by the funnel, and messages that nobody serves are refused', async () => {
  await world.start('b', { handlers: { raft: async () => ({ reply: undefined }), ...echo } })
  const auditor = await world.start('auditor', { changes: { roles: ['auditor'] } })
  await assert.rejects(auditor.call('b', 'catalog-query', ask), rejectsWith('Forbidden'))
  await assert.rejects(
    auditor.call('b', 'registry-query', { query: { kind: 'users' }, linearizable: false }),
    rejectsWith('Forbidden'),
  )
  await auditor.call('b', 'ping', { sentMs: 1, epoch: 1 })
})

test('a node calls itself without a socket, with the same rules', async () => {
  const a: TlsTransport = await world.start('a', {
    handlers: {
      ...echo,
      'read-shard': async (_request, context) => ({ reply: { cellCount: context.body?.length ?? 0 } }),
      'registry-query': never,
    },
  })
  assert.deepEqual((await a.call('a', 'catalog-query', ask)).reply.answer, ask)
  const { reply } = await a.call('a', 'read-shard', read, { body: [Buffer.alloc(3), Buffer.alloc(4)] })
  assert.equal(reply.cellCount, 7)
  await assert.rejects(
    a.call('a', 'registry-query', { query: { kind: 'users' }, linearizable: false }, { timeoutMs: 10 }),
    rejectsWith('Timeout'),
  )
})

test('connections are renewed before their keys have encrypted too much, and no call is lost', async () => {
  let connections = 0
  await world.start('b', {
    handlers: {
      'write-shard': async (_request, { body }) => ({ reply: { sealed: body?.length === 100_000 } }),
    },
  })
  const address = world.addresses.get('b')
  assert.ok(address)
  const proxy = await freezableProxy(address, () => connections++)
  world.addresses.set('b', proxy.address)
  const a = await world.start('a', { connectionBytes: 250_000, bulkConnections: 1 })
  for (let i = 0; i < 20; i++) {
    const { reply } = await a.call('b', 'write-shard', write, { body: [Buffer.alloc(100_000)] })
    assert.deepEqual(reply, { sealed: true })
  }
  assert.ok(connections > 5, `${connections} connections for 20 calls, 3 calls each`)
})

test('round trips are measured and pings tell the epoch of the map', async () => {
  const epochs: number[] = []
  await world.start('b', {})
  const a = await world.start('a', { observer: { heardEpoch: (_nodeId, epoch) => epochs.push(epoch) } })
  await eventually('a round trip is measured', () => a.peers()[0]?.rttMs !== undefined)
  const offsetMs = a.peers()[0]?.clockOffsetMs ?? Number.NaN
  assert.ok(Math.abs(offsetMs) < 60_000, `both read the same clock, ${offsetMs} ms apart`)
  assert.ok(epochs.includes(7))
})

test('closing ends a connection whose handshake is completed only afterwards', async () => {
  const transport = await world.start('slow')
  const { host, port } = world.addresses.get('slow') ?? assert.fail('no address')
  const key = generateKeyPair()
  world.nodes.set('late', mapNode('late', key))
  const raw = connectTcp(port, host)
  raw.on('error', () => raw.destroy())
  await new Promise((resolve) => raw.once('connect', resolve))
  const closing = transport.close()
  const socket = connect({ ...new TlsContext(key, 'late').clientOptions('control'), socket: raw })
  socket.on('error', () => socket.destroy())
  await closing
})
