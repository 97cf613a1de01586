/**
 * The operations of the S3 model that answer NotImplemented, from the AWS SDK's model. Implementing one moves its row
 * into a file of its own.
 */
import type { Method, OperationRow, PlannedOperation, Target } from '../operation.ts'

type Needs = NonNullable<OperationRow['needs']>

function planned(
  name: string,
  route: { method: Method; target: Target; subresource?: string; needs?: Needs },
  action = `s3:${name}`,
): PlannedOperation {
  return { kind: 'planned', name, ...route, action }
}

export const plannedOperations: readonly PlannedOperation[] = [
  planned('CreateBucketMetadataConfiguration', {
    method: 'POST',
    target: 'bucket',
    subresource: 'metadataConfiguration',
  }),
  planned('CreateBucketMetadataTableConfiguration', {
    method: 'POST',
    target: 'bucket',
    subresource: 'metadataTable',
  }),
  planned(
    'CreateSession',
    { method: 'GET', target: 'bucket', subresource: 'session' },
    's3express:CreateSession',
  ),
  planned('DeleteBucketMetadataConfiguration', {
    method: 'DELETE',
    target: 'bucket',
    subresource: 'metadataConfiguration',
  }),
  planned('DeleteBucketMetadataTableConfiguration', {
    method: 'DELETE',
    target: 'bucket',
    subresource: 'metadataTable',
  }),
  planned('DeleteObjectAnnotation', { method: 'DELETE', target: 'object', subresource: 'annotation' }),
  planned('GetBucketAbac', { method: 'GET', target: 'bucket', subresource: 'abac' }),
  planned('GetBucketMetadataConfiguration', {
    method: 'GET',
    target: 'bucket',
    subresource: 'metadataConfiguration',
  }),
  planned('GetBucketMetadataTableConfiguration', {
    method: 'GET',
    target: 'bucket',
    subresource: 'metadataTable',
  }),
  planned('GetObjectAnnotation', {
    method: 'GET',
    target: 'object',
    subresource: 'annotation',
    needs: { query: ['annotationName'] },
  }),
  planned(
    'ListDirectoryBuckets',
    { method: 'GET', target: 'service', needs: { queryIs: ['x-id', 'ListDirectoryBuckets'] } },
    's3express:ListAllMyDirectoryBuckets',
  ),
  planned('ListObjectAnnotations', { method: 'GET', target: 'object', subresource: 'annotation' }),
  planned('PutBucketAbac', { method: 'PUT', target: 'bucket', subresource: 'abac' }),
  planned(
    'PutBucketAnalyticsConfiguration',
    { method: 'PUT', target: 'bucket', subresource: 'analytics', needs: { query: ['id'] } },
    's3:PutAnalyticsConfiguration',
  ),
  planned(
    'PutBucketIntelligentTieringConfiguration',
    { method: 'PUT', target: 'bucket', subresource: 'intelligent-tiering', needs: { query: ['id'] } },
    's3:PutIntelligentTieringConfiguration',
  ),
  planned(
    'PutBucketInventoryConfiguration',
    { method: 'PUT', target: 'bucket', subresource: 'inventory', needs: { query: ['id'] } },
    's3:PutInventoryConfiguration',
  ),
  planned(
    'PutBucketMetricsConfiguration',
    { method: 'PUT', target: 'bucket', subresource: 'metrics', needs: { query: ['id'] } },
    's3:PutMetricsConfiguration',
  ),
  planned(
    'PutBucketReplication',
    { method: 'PUT', target: 'bucket', subresource: 'replication' },
    's3:PutReplicationConfiguration',
  ),
  planned('PutObjectAnnotation', { method: 'PUT', target: 'object', subresource: 'annotation' }),
  planned('RenameObject', { method: 'PUT', target: 'object', subresource: 'renameObject' }, 's3:PutObject'),
  planned(
    'SelectObjectContent',
    { method: 'POST', target: 'object', subresource: 'select', needs: { queryIs: ['select-type', '2'] } },
    's3:GetObject',
  ),
  planned('UpdateBucketMetadataAnnotationTableConfiguration', {
    method: 'PUT',
    target: 'bucket',
    subresource: 'metadataAnnotationTable',
  }),
  planned('UpdateBucketMetadataInventoryTableConfiguration', {
    method: 'PUT',
    target: 'bucket',
    subresource: 'metadataInventoryTable',
  }),
  planned('UpdateBucketMetadataJournalTableConfiguration', {
    method: 'PUT',
    target: 'bucket',
    subresource: 'metadataJournalTable',
  }),
  planned('UpdateObjectEncryption', { method: 'PUT', target: 'object', subresource: 'encryption' }),
  planned('WriteGetObjectResponse', {
    method: 'POST',
    target: 'bucket',
    needs: { header: 'x-amz-request-route' },
  }),
]
