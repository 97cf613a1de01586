/**
 * The message that a notification target receives, as AWS writes it.
 * Source: AWS, "Event message structure", version 2.1.
 */
import type { StoredEvent } from '../../node/core/catalog-types.ts'

/** One record for one target. JSON. */
export function eventMessage(event: StoredEvent, ruleId: string, region: string): string {
  const { notice, ownerId } = event
  const eventSource = 'aws:s3'
  const record = {
    eventVersion: '2.1',
    eventSource,
    awsRegion: region,
    eventTime: new Date(event.timeMs).toISOString(),
    eventName: event.name,
    userIdentity: { principalId: notice.principalId },
    requestParameters: { sourceIPAddress: notice.sourceIp },
    responseElements: { 'x-amz-request-id': notice.requestId },
    s3: {
      s3SchemaVersion: '1.0',
      configurationId: ruleId,
      bucket: {
        name: notice.bucketName,
        ownerIdentity: { principalId: ownerId },
        arn: `arn:aws:s3:::${notice.bucketName}`,
      },
      object: {
        // As in a form: AWS writes a space as a plus sign here.
        key: encodeURIComponent(event.key).replaceAll('%20', '+').replaceAll('%2F', '/'),
        ...(event.bytes === undefined ? {} : { size: event.bytes }),
        ...(event.etag === undefined ? {} : { eTag: event.etag }),
        ...(event.versionId === undefined ? {} : { versionId: event.versionId }),
        sequencer: event.eventId.toUpperCase(),
      },
    },
  }
  return JSON.stringify({ Records: [record] })
}
