import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { readGatewayConfig } from '../../../gateway/config.ts'
import { readAuditorConfig, readDhtConfig, readNodeConfig } from '../../../node/config.ts'
import { verifyGenesis } from '../../../node/core/genesis.ts'
import { ed25519Verify } from '../../../node/io/identity.ts'
import { awsSettings, rcloneSettings, s3cmdSettings } from '../../../ops/dev/client-settings.ts'
import { openDevFile, refuseForeignFolder, refuseTakenPorts } from '../../../ops/dev/dev-file.ts'
import { foundFederation } from '../../../ops/dev/found.ts'
import { type Layout, layoutOf } from '../../../ops/dev/layout.ts'

const folder = mkdtempSync(join(tmpdir(), 'bundescloud-found-'))
after(() => rmSync(folder, { recursive: true }))

function freshLayout(name: string): Layout {
  return layoutOf(join(folder, name))
}

test('founding writes a configuration that each process accepts, with ports of its own', async () => {
  const layout = freshLayout('configs')
  const dev = await openDevFile(layout, { port: 0 })
  const members = await foundFederation(layout, dev, { repairDelayMs: 5 })
  assert.equal(members.length, 9)
  const ports: number[] = []
  for (const member of members) {
    if (member.kind === 'dht') {
      const config = readDhtConfig(member.configFile)
      ports.push(config.listen.port, config.admin.port)
      continue
    }
    const read = { node: readNodeConfig, auditor: readAuditorConfig, gateway: readGatewayConfig }[member.kind]
    const config = read(member.configFile)
    ports.push(config.listen.port, config.admin.port)
    assert.equal(config.nodeId, member.id)
    assert.equal(config.dataDir, dirname(member.configFile))
    assert.equal(config.genesis, layout.genesisFile)
    if ('repairDelayMs' in config) assert.equal(config.repairDelayMs, 5)
  }
  assert.equal(new Set([...ports, dev.ports.s3]).size, 19)
})

test('the genesis is sound and signed by every operator, in every shape', async () => {
  for (const [sites, nodesPerSite] of [
    [3, 2],
    [1, 3],
    [5, 1],
  ] as const) {
    const layout = freshLayout(`genesis-${sites}`)
    await foundFederation(layout, await openDevFile(layout, { port: 0, sites, nodesPerSite }))
    const genesis = verifyGenesis(JSON.parse(readFileSync(layout.genesisFile, 'utf8')), ed25519Verify)
    assert.equal(Object.keys(genesis.signatures).length, sites)
    assert.equal(genesis.map.nodes.length, sites * nodesPerSite + 2)
  }
})

test('founding again keeps keys, genesis, users and ports', async () => {
  const layout = freshLayout('again')
  const before = await openDevFile(layout, { port: 0, sites: 3, nodesPerSite: 1 })
  await foundFederation(layout, before)
  const genesis = readFileSync(layout.genesisFile, 'utf8')
  const after = await openDevFile(layout, {})
  await foundFederation(layout, after)
  assert.deepEqual(after, before)
  assert.equal(readFileSync(layout.genesisFile, 'utf8'), genesis)
})

test('files that hold secrets are readable by their owner only', async () => {
  const layout = freshLayout('secrets')
  const dev = await openDevFile(layout, { port: 0, sites: 3, nodesPerSite: 1 })
  await foundFederation(layout, dev)
  const secrets = [
    layout.devFile,
    layout.journalKeyFile,
    join(layout.operatorDir('bund'), 'operator.key'),
    join(layout.nodeDir('by-1'), 'node.key'),
    join(layout.nodeDir('by-1'), 'journal.key'),
  ]
  for (const file of secrets) assert.equal(statSync(file).mode & 0o777, 0o600, file)
})

test('another shape on existing data, and a folder of somebody else, are refused', async () => {
  const layout = freshLayout('shape')
  await openDevFile(layout, { port: 0 })
  await assert.rejects(openDevFile(layout, { sites: 4 }), /founded with 3 x 2 nodes, not 4 x 2: add --fresh/)
  const foreign = freshLayout('foreign')
  mkdirSync(foreign.root)
  writeFileSync(join(foreign.root, 'thesis.txt'), 'mine')
  assert.throws(() => refuseForeignFolder(foreign), /holds other files \(thesis.txt\)/)
})

test('a taken S3 port is named before anything starts', async () => {
  const layout = freshLayout('ports')
  const dev = await openDevFile(layout, { port: 0 })
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(dev.ports.s3, '127.0.0.1', resolve))
  await assert.rejects(refuseTakenPorts(dev), new RegExp(`port ${dev.ports.s3} \\(S3\\) is in use`))
  await new Promise((resolve) => server.close(resolve))
  await refuseTakenPorts(dev)
})

test('access keys look as clients expect them: 20 upper-case characters and a 40-character secret', async () => {
  const { users } = await openDevFile(freshLayout('users'), { port: 0 })
  assert.deepEqual(
    users.map((user) => user.name),
    ['dock', 'evidence'],
  )
  for (const user of users) {
    assert.match(user.accessKeyId, /^[A-Z0-9]{20}$/)
    assert.match(user.secretAccessKey, /^[A-Za-z0-9]{40}$/)
  }
  assert.notEqual(users[0]?.secretAccessKey, users[1]?.secretAccessKey)
})

test('settings for clients name endpoint, region and keys', () => {
  const access = {
    endpoint: 'http://127.0.0.1:9000',
    region: 'eu-central-1',
    accessKeyId: 'BCAA',
    secretAccessKey: 'geheim',
  }
  assert.match(awsSettings(access), /AWS_ENDPOINT_URL=http:\/\/127\.0\.0\.1:9000\n[\s\S]*BCAA/)
  assert.match(rcloneSettings(access), /endpoint = http:\/\/127\.0\.0\.1:9000\n/)
  assert.match(s3cmdSettings(access), /host_base = 127\.0\.0\.1:9000\n[\s\S]*use_https = False/)
})
