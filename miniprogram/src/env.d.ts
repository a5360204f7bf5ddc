/// <reference types="vite/client" />

declare module "*.vue" {
  import type { DefineComponent } from "vue";
  const component: DefineComponent<object, object, unknown>;
  export default component;
}

interface ImportMetaEnv {
  /** Where the API is, e.g. https://orders.example.com; empty in the browser, where it is the page's own host. */
  readonly VITE_API_URL?: string;
  /** Version of WeChat's logistics plugin, where the account has it; else the plugin is left out of the build. */
  readonly VITE_LOGISTICS_PLUGIN?: string;
}
