import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
import { bucketDocument, putDocument } from './bucket-documents.ts'
import { type Conformance, startConformance, startLocalGateway } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const notification = (inner: string) => `<NotificationConfiguration>${inner}</NotificationConfiguration>`
const arn = 'arn:aws:sns:eu-central-1:a11ce:alarm'
const topic =
  `<TopicConfiguration><Id>a</Id><Topic>${arn}</Topic><Event>s3:ObjectCreated:*</Event>` +
  '<Filter><S3Key><FilterRule><Name>Prefix</Name><Value>in/</Value></FilterRule></S3Key></Filter></TopicConfiguration>'

test('PutBucketNotificationConfiguration takes targets that are set up, and none at all', async () => {
  const gateway = await startLocalGateway({ eventTargets: new Set([arn, 'eventbridge']) })
  try {
    const s3 = gateway.client()
    assert.equal((await s3.send({ method: 'PUT', path: '/events' })).status, 200)
    const send = (body: string) => s3.send({ method: 'PUT', path: '/events?notification', body })
    const bus = '<EventBridgeConfiguration></EventBridgeConfiguration>'
    const put = await send(notification(topic + bus))
    assert.equal(put.status, 200, put.text)
    const { text } = await s3.send({ path: '/events?notification' })
    assert.ok(text.includes(topic + bus), text)
    assert.equal((await send(notification(''))).status, 200)
    const after = await s3.send({ path: '/events?notification' })
    assert.ok(!after.text.includes('Configuration><Topic'))
    assert.ok(!after.text.includes('EventBridge'))
  } finally {
    await gateway.close()
  }
})

test('PutBucketNotificationConfiguration refuses unknown targets, what is no document, and strangers', async () => {
  const document = await bucketDocument(at, 'notification')
  const unknown = topic.replace(':alarm', ':nobody')
  assertError(await document.put(notification(unknown)), 400, 'InvalidArgument')
  assertError(await document.put(notification('<Other/>')), 400, 'MalformedXML')
  assertError(await document.put(notification(unknown.replace('Created', 'Painted'))), 400, 'InvalidArgument')
  assertError(await document.put(notification(''), at.other), 403, 'AccessDenied')
  await putDocument(document, notification(''))
})
