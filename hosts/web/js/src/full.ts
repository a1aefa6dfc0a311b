/**
 * Reads, writes and maintains: {@link Database}.
 *
 * @module
 */
export { Database, type DatabaseOptions } from "./database.js";
export * from "./index.js";
export { Maintenance, type MaintenanceOptions, type MaintenanceReport, type MergeReport } from "./maintenance.js";
export { Writer, type BatchOperation, type PutOptions as WriteOptions, type WriterOptions } from "./writer.js";
