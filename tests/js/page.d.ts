/** ComfyUI's modules as its page serves them, with the types its frontend publishes. */
declare module "*/scripts/app.js" {
  import type { ComfyApp } from "@comfyorg/comfyui-frontend-types";
  export const app: ComfyApp;
}

declare module "*/scripts/api.js" {
  export const api: {
    fetchApi(route: string, options?: RequestInit): Promise<Response>;
    apiURL(route: string): string;
    getUserData(file: string): Promise<Response>;
    storeUserData(file: string, data: unknown, options: object): Promise<Response>;
    getWorkflowTemplates(): Promise<Record<string, string[]>>;
    addEventListener(kind: string, listener: (event: CustomEvent) => void): void;
    dispatchEvent(event: CustomEvent): boolean;
  };
}
