import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import { after, before, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { fetchDocument } from '../../../gateway/sts/provider-document.ts'
import { stsLimits } from '../../../gateway/sts/sts-limits.ts'
import { selfSignedCertificate } from '../../../node/io/certificate.ts'
import { generateKeyPair } from '../../../node/io/identity.ts'

const keyPair = generateKeyPair()
const certificate = selfSignedCertificate(keyPair, 'localhost')
const thumbprint = new X509Certificate(certificate).fingerprint.replaceAll(':', '')
const ordinary = getCACertificates('default')

let server: Server
let url: string
before(async () => {
  server = createServer(
    { cert: certificate, key: keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' }) },
    (request, response) => {
      if (request.url === '/large') response.end('x'.repeat(stsLimits.providerDocumentBytesMax + 1))
      else if (request.url === '/moved') response.writeHead(302, { location: '/' }).end()
      else if (request.url !== '/silent') response.end('{"keys":[]}')
    },
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  url = `https://localhost:${address.port}`
})
after(() => {
  setDefaultCACertificates(ordinary)
  server.closeAllConnections()
  server.close()
})

test('a certificate that nobody vouches for is not believed, whatever thumbprint was registered', async () => {
  await assert.rejects(fetchDocument(url, []), /self-signed|certificate/)
  await assert.rejects(fetchDocument(url, [thumbprint]), /self-signed|certificate/)
})

test('a trusted certificate is believed; with thumbprints only when one is of its chain', async () => {
  setDefaultCACertificates([...ordinary, certificate])
  assert.equal(await fetchDocument(url, []), '{"keys":[]}')
  assert.equal(await fetchDocument(url, ['b'.repeat(40), thumbprint.toLowerCase()]), '{"keys":[]}')
  assert.equal(await fetchDocument(url, [thumbprint.toUpperCase()]), '{"keys":[]}')
  await assert.rejects(fetchDocument(url, ['b'.repeat(40)]), /thumbprint/)
})

test('what is too large, elsewhere, or does not come is given up', async () => {
  setDefaultCACertificates([...ordinary, certificate])
  await assert.rejects(fetchDocument(`${url}/large`, []), /too large/)
  await assert.rejects(fetchDocument(`${url}/moved`, []), /302/)
  await assert.rejects(fetchDocument(`${url}/silent`, []), /abort|timeout/i)
  await assert.rejects(fetchDocument(url.replace('localhost', '127.0.0.1'), []), /altnames|match|IP/i)
})

test('plain HTTP is for this machine, and other protocols for nobody', async () => {
  for (const address of [
    'http://idp.example/',
    'http://127.0.0.1.example/',
    'ftp://127.0.0.1/',
    'file:///etc/passwd',
  ]) {
    await assert.rejects(fetchDocument(address, []), /plain HTTP/)
  }
})
