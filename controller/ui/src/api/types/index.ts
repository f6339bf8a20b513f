// What the API says and takes, by the names that the rest of the console uses.
//
// `npm run generate` writes schema.ts from the controller's OpenAPI document; these names can then become
// `components['schemas'][…]` without a change elsewhere.

export * from './account';
export * from './admin';
export * from './apps';
export * from './audit';
export * from './common';
export * from './fleet';
export * from './identity';
export * from './jobs';
export * from './signals';
