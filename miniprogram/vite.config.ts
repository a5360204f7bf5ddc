import uniPlugin from "@dcloudio/vite-plugin-uni";
import { fileURLToPath, URL } from "node:url";
import { defineConfig, loadEnv, type Plugin } from "vite";

// The plugin is published as CommonJS: its default export may come wrapped.
const uni = (uniPlugin as unknown as { default?: typeof uniPlugin }).default ?? uniPlugin;

/** uni-h5's own styles name pictures on a CDN for widgets that are not used here: nothing is fetched from elsewhere. */
function noForeignPictures(): Plugin {
  return {
    name: "no-foreign-pictures",
    enforce: "post",
    generateBundle(_, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type === "asset" && file.fileName.endsWith(".css")) {
          file.source = String(file.source).replace(/url\(["']?https?:[^)]*\)/g, "none");
        }
      }
    },
  };
}

const HERE = fileURLToPath(new URL(".", import.meta.url));
const FOR_WECHAT = process.env.UNI_PLATFORM === "mp-weixin";

/** What is each merchant's own, from the environment or `.env.local`. */
const given = loadEnv("production", HERE, ["VITE_", "WECHAT_APPID"]);

// In a browser the API is on the page's own host, and the page may speak to no other.
if (!FOR_WECHAT) process.env.VITE_API_URL = "";
else if (!given.VITE_API_URL)
  console.warn(
    "VITE_API_URL 没有设置：这次构建只能用来检查，不能上传（例如 VITE_API_URL=https://shop.example.com）",
  );
else if (
  !/^https:\/\/[a-z\d.-]+(:\d+)?$/i.test(given.VITE_API_URL) &&
  !given.VITE_API_URL.startsWith("http://127.0.0.1:")
)
  throw new Error(`VITE_API_URL 应是 https 域名，后面不带路径和斜杠：${given.VITE_API_URL}`);

/** The AppID, and WeChat's logistics plugin: one that is declared but not added to the account fails the review. */
function merchantsOwn(): Plugin {
  const edits: Record<string, object> = {
    "project.config.json": given.WECHAT_APPID ? { appid: given.WECHAT_APPID } : {},
    "app.json": given.VITE_LOGISTICS_PLUGIN
      ? {
          plugins: {
            logisticsPlugin: { version: given.VITE_LOGISTICS_PLUGIN, provider: "wx9ad912bf20548d92" },
          },
        }
      : {},
  };
  return {
    name: "merchants-own",
    enforce: "post",
    generateBundle(_, bundle) {
      for (const [name, edit] of Object.entries(edits)) {
        const file = bundle[name];
        if (file?.type === "asset")
          file.source = JSON.stringify({ ...JSON.parse(String(file.source)), ...edit }, null, 2);
      }
    },
  };
}

export default defineConfig({
  base: "/m/",
  plugins: [uni(), noForeignPictures(), ...(FOR_WECHAT ? [merchantsOwn()] : [])],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: { target: "es2018" },
  define: {
    // Said here so that a build without the plugin doesn't even mention it: the review's scan would find it undeclared.
    "import.meta.env.VITE_LOGISTICS_PLUGIN": JSON.stringify(
      FOR_WECHAT ? (given.VITE_LOGISTICS_PLUGIN ?? "") : "",
    ),
    // The builder's runtime asks its maker's CDN for a picture three seconds after every start: a count of users.
    ...(FOR_WECHAT && { "wx.preloadAssets": "undefined" }),
  },
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
});
