/** What else than an agent needs to upload symbols, without the sampler. */
export { readBinaryImage } from '../binaries/binary-image.ts';
export { fileSource } from '../binaries/file-source.ts';
export { localFiles } from './local-files.ts';
export { prepareSupplement, prepareUpload, type PreparedUpload } from './prepare-upload.ts';
export { sendUpload, type SendResult } from './send-upload.ts';
