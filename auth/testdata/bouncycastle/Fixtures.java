import java.io.FileWriter;
import java.security.KeyPairGenerator;
import java.security.SecureRandom;
import java.security.Security;
import java.security.spec.ECGenParameterSpec;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.nist.NISTObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.EncryptedPrivateKeyInfo;
import org.bouncycastle.asn1.pkcs.PBEParameter;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.crypto.BlockCipher;
import org.bouncycastle.crypto.CipherParameters;
import org.bouncycastle.crypto.PBEParametersGenerator;
import org.bouncycastle.crypto.digests.MD2Digest;
import org.bouncycastle.crypto.engines.DESEngine;
import org.bouncycastle.crypto.engines.RC2Engine;
import org.bouncycastle.crypto.generators.PKCS5S1ParametersGenerator;
import org.bouncycastle.crypto.modes.CBCBlockCipher;
import org.bouncycastle.crypto.paddings.PaddedBufferedBlockCipher;
import org.bouncycastle.crypto.params.KeyParameter;
import org.bouncycastle.crypto.params.ParametersWithIV;
import org.bouncycastle.crypto.params.RC2Parameters;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.operator.OutputEncryptor;
import org.bouncycastle.pkcs.PKCS8EncryptedPrivateKeyInfoBuilder;
import org.bouncycastle.pkcs.jcajce.JcePKCSPBEOutputEncryptorBuilder;
import org.bouncycastle.util.io.pem.PemObject;

/** Writes the encrypted keys that OpenSSL 3 cannot, see README.md. */
public class Fixtures {
    static final char[] PASSWORD = "pass1234".toCharArray();

    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", "BC");
        generator.initialize(new ECGenParameterSpec("P-256"));
        PrivateKeyInfo ec = PrivateKeyInfo.getInstance(generator.generateKeyPair().getPrivate().getEncoded());
        PrivateKeyInfo ed = PrivateKeyInfo.getInstance(
            KeyPairGenerator.getInstance("Ed25519", "BC").generateKeyPair().getPrivate().getEncoded());

        write("plain-ec.pem", "PRIVATE KEY", ec.getEncoded());
        write("plain-ed25519.pem", "PRIVATE KEY", ed.getEncoded());
        md2("md2-des.pem", PKCSObjectIdentifiers.pbeWithMD2AndDES_CBC, false, ec);
        md2("md2-rc2.pem", PKCSObjectIdentifiers.pbeWithMD2AndRC2_CBC, true, ec);
        pbes("aes128-gcm.pem", NISTObjectIdentifiers.id_aes128_GCM, PASSWORD, ec);
        pbes("aes192-gcm.pem", NISTObjectIdentifiers.id_aes192_GCM, PASSWORD, ec);
        pbes("aes256-gcm.pem", NISTObjectIdentifiers.id_aes256_GCM, PASSWORD, ec);
        pbes("aes256-cbc-ed25519.pem", NISTObjectIdentifiers.id_aes256_CBC, PASSWORD, ed);
        pbes("pkcs12-3des.pem", PKCSObjectIdentifiers.pbeWithSHAAnd3_KeyTripleDES_CBC, PASSWORD, ec);
        pbes("pkcs12-3des-empty-password.pem", PKCSObjectIdentifiers.pbeWithSHAAnd3_KeyTripleDES_CBC, new char[0], ec);
    }

    static void pbes(String file, ASN1ObjectIdentifier oid, char[] password, PrivateKeyInfo key) throws Exception {
        JcePKCSPBEOutputEncryptorBuilder builder = new JcePKCSPBEOutputEncryptorBuilder(oid).setProvider("BC");
        builder.setIterationCount(2048);
        OutputEncryptor encryptor = builder.build(password);
        write(file, "ENCRYPTED PRIVATE KEY", new PKCS8EncryptedPrivateKeyInfoBuilder(key).build(encryptor).getEncoded());
    }

    static void md2(String file, ASN1ObjectIdentifier oid, boolean rc2, PrivateKeyInfo key) throws Exception {
        byte[] salt = new byte[8];
        new SecureRandom().nextBytes(salt);
        int iterations = 2048;
        PKCS5S1ParametersGenerator generator = new PKCS5S1ParametersGenerator(new MD2Digest());
        generator.init(PBEParametersGenerator.PKCS5PasswordToUTF8Bytes(PASSWORD), salt, iterations);
        ParametersWithIV derived = (ParametersWithIV) generator.generateDerivedParameters(64, 64);
        CipherParameters parameters = derived;
        if (rc2) {
            byte[] raw = ((KeyParameter) derived.getParameters()).getKey();
            parameters = new ParametersWithIV(new RC2Parameters(raw, 64), derived.getIV());
        }
        BlockCipher engine = rc2 ? new RC2Engine() : new DESEngine();
        PaddedBufferedBlockCipher cipher = new PaddedBufferedBlockCipher(CBCBlockCipher.newInstance(engine));
        cipher.init(true, parameters);
        byte[] plain = key.getEncoded();
        byte[] out = new byte[cipher.getOutputSize(plain.length)];
        int n = cipher.processBytes(plain, 0, plain.length, out, 0);
        n += cipher.doFinal(out, n);
        byte[] data = java.util.Arrays.copyOf(out, n);
        AlgorithmIdentifier algorithm = new AlgorithmIdentifier(oid, new PBEParameter(salt, iterations));
        write(file, "ENCRYPTED PRIVATE KEY", new EncryptedPrivateKeyInfo(algorithm, data).getEncoded());
    }

    static void write(String file, String label, byte[] der) throws Exception {
        try (JcaPEMWriter writer = new JcaPEMWriter(new FileWriter(file))) {
            writer.writeObject(new PemObject(label, der));
        }
    }
}
