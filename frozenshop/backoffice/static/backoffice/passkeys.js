"use strict";

// A security key's answer goes into a hidden field of the form, which is then sent like any other.
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const withIds = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

  const ask = {
    create: (options) => navigator.credentials.create({ publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: withIds(options.excludeCredentials),
    } }),
    get: (options) => navigator.credentials.get({ publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      allowCredentials: withIds(options.allowCredentials),
    } }),
  };

  const answer = (credential) => {
    const given = credential.response;
    const response = { clientDataJSON: text(given.clientDataJSON) };
    if (given.attestationObject) {
      response.attestationObject = text(given.attestationObject);
      response.transports = given.getTransports ? given.getTransports() : [];
    } else {
      response.authenticatorData = text(given.authenticatorData);
      response.signature = text(given.signature);
      response.userHandle = given.userHandle ? text(given.userHandle) : null;
    }
    return JSON.stringify({
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      response,
      clientExtensionResults: credential.getClientExtensionResults(),
    });
  };

  for (const button of document.querySelectorAll("[data-passkey]")) {
    const said = button.form.querySelector("[data-passkey-said]");
    if (!window.PublicKeyCredential) {
      said.textContent = "这个浏览器不支持安全密钥。";
      continue;
    }
    button.hidden = false;
    said.textContent = "";
    button.addEventListener("click", async () => {
      said.textContent = "请按浏览器的提示操作…";
      try {
        const credential = await ask[button.dataset.passkey](JSON.parse(button.dataset.passkeyOptions));
        button.form.elements[button.dataset.passkeyField].value = answer(credential);
        button.form.noValidate = true;
        button.form.submit();
      } catch (error) {
        said.textContent = error.name === "InvalidStateError" ? "这个密钥已经添加过。" : "没有完成，请重试。";
      }
    });
  }
})();
